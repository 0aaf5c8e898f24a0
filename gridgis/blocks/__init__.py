"""Unit grids from street blocks: a community's outline, streets, water and buildings become cells a planner would draw."""
