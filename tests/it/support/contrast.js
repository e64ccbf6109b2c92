// How well every visible text of the page stands out from what is behind it: what falls short of WCAG 2.2, 1.4.3 (AA).
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3])).concat(1);
  const behind = (node) => {
    if (!node) return [255, 255, 255, 1];
    const own = rgba(node instanceof SVGElement ? "transparent" : getComputedStyle(node).backgroundColor);
    return own[3] === 1 ? own : over(own, behind(node.parentElement));
  };
  const light = (c) => {
    const [r, g, b] = c.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const pale = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode, node = text.parentElement;
    if (!text.data.trim() || !node.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || node.closest("script, style, noscript, .skip")) continue;
    const style = getComputedStyle(node), box = node.closest(".node");
    let under = behind(node);
    if (box) under = over(rgba(getComputedStyle(box.querySelector("rect")).fill), under);
    let ink = rgba(node instanceof SVGElement ? style.fill : style.color);
    for (let up = node; up; up = up.parentElement) ink = [...ink.slice(0, 3), ink[3] * Number(getComputedStyle(up).opacity)];
    const [a, b] = [light(over(ink, under)), light(under)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) pale.set(`${node.tagName} .${node.getAttribute("class")} in .${node.parentElement.getAttribute("class")}`, `${ratio.toFixed(2)} ${text.data.trim().slice(0, 30)}`);
  }
  return [...pale].map(([what, how]) => `${what}: ${how}`);
})()
