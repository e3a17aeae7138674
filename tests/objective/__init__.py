"""The first floor: value, derivatives and curvature of the linear objective."""
