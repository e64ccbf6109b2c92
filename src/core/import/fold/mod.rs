mod differ;
mod thing;
