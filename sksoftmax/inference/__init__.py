"""Statistics of fitted logit models: covariances, tests, tables, elasticities, ratios."""
