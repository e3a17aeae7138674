"""The solvers: every one reaches the optimum, says so, and says what is wrong when it cannot."""
