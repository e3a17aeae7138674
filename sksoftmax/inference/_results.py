"""The statistics of a fitted logit model, in one object."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from sksoftmax.inference import _effects, _hypotheses, _ratios, _surplus
from sksoftmax.inference._effects import Effects
from sksoftmax.inference._hypotheses import HypothesisTest, IIATest
from sksoftmax.inference._ratios import Ratio
from sksoftmax.inference._statistics import FitStatistics, normal_quantile
from sksoftmax.inference._summary import Summary, frame_of, summarize
from sksoftmax.inference._surplus import ConsumerSurplus
from sksoftmax.inference._warnings import warn_of_penalty

Transform = Callable[[Any], Any]


class LogitResults(FitStatistics):
    """Standard errors, tests, tables and what follows from a fitted logit model.

    Estimators make it (`MultinomialLogit.infer`); it holds no data, so that it pickles small.

    Parameters
    ----------
    estimate : object
        What the fit found, as the estimator hands it over.
    covariance : {"hessian", "bhhh", "robust", "cluster"}, default="hessian"
        Which covariance standard errors and tests use; see `with_covariance`.
    small_sample : bool, default=True
        Multiply that of clusters by G / (G - 1), G their number.

    Notes
    -----
    z-values and p-values are those of the normal distribution. Numbers of cases are sums of weights
    for frequency weights, numbers of rows for sampling weights. A fit with a penalty has standard
    errors of a shrunken estimate, which say nothing about its bias: whatever is asked of it warns.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import MultinomialLogit
    >>> X, y = load_iris(return_X_y=True)
    >>> results = MultinomialLogit(C=float("inf")).infer(X[50:, :2], y[50:])
    >>> print(results.summary())
    MultinomialLogit: 100 cases, 2 alternatives
    <BLANKLINE>
    ---------------------------------------------------------------------
    log-likelihood            -55.1629    McFadden R2, constants  0.20417
    of constants alone        -69.3147    adjusted R2, constants  0.17282
    of equal probabilities    -69.3147    McFadden R2, equal      0.20417
    cases                          100    adjusted R2, equal      0.16089
    of them without a choice         0    AIC                      116.33
    estimated parameters             3    BIC                      124.14
    iterations                       5    largest gradient        ...
    <BLANKLINE>
                     coef  std err      z      p     2.5 %   97.5 %
    ---------------------------------------------------------------
    2:x0           1.9024   0.5169   3.68  <.001    0.8892   2.9155
    2:x1           0.4047   0.8628   0.47   .639   -1.2865   2.0958
    2:intercept  -13.0460   3.0974  -4.21  <.001  -19.1168  -6.9753
    <BLANKLINE>
    Standard errors: inverse information.
    """

    # --- tables -----------------------------------------------------------------------------------

    def summary(self, confidence_level: float = 0.95) -> Summary:
        r"""Return a table of the coefficients and of the fit.

        ``print`` shows it as text, notebooks in HTML, and ``to_latex()`` gives a ``tabular`` for
        the LaTeX package booktabs.

        Parameters
        ----------
        confidence_level : float, default=0.95
            Of the intervals.

        Returns
        -------
        summary : Summary
        """
        warn_of_penalty(self._estimate)
        return summarize(self, normal_quantile(confidence_level), confidence_level)

    def to_frame(self, confidence_level: float = 0.95) -> Any:
        """Return the coefficients as a pandas DataFrame.

        Parameters
        ----------
        confidence_level : float, default=0.95
            Of the intervals.

        Returns
        -------
        frame : pandas.DataFrame of shape (n_names, 6)
            ``coef``, ``std_err``, ``z``, ``p_value``, ``low`` and ``high``, by name; NaN where a
            parameter was held or is not determined. Needs pandas
            (``pip install "sksoftmax[pandas]"``).
        """
        warn_of_penalty(self._estimate)
        return frame_of(self, normal_quantile(confidence_level))

    def __repr__(self) -> str:
        e = self._estimate
        return (
            f"<LogitResults of {e.model.name}: {len(e.names)} parameters, {e.n_cases:,.10g} cases, "
            f"log-likelihood {e.loglik:,.3f}, {self.covariance_type} standard errors>"
        )

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    # --- tests of hypotheses ----------------------------------------------------------------------

    def wald_test(self, restrictions: Any, value: Any = None) -> HypothesisTest:
        r"""Test linear restrictions R params = q with the covariance of these results.

        .. math:: W = (R \hat\theta - q)' (R V R')^{-1} (R \hat\theta - q) \sim \chi^2_r

        Parameters
        ----------
        restrictions : str, list of str, or array-like of shape (n_restrictions, n_names)
            ``"b_time = b_cost"``, ``"2*b_time - b_cost = 1"``, ``"b_time = 0, b_cost = 0"``, or R
            with a column for each parameter of `names`. Without "=" the right side is 0.
        value : float or array-like of shape (n_restrictions,), default=None
            q beside a matrix; None is 0.

        Returns
        -------
        test : HypothesisTest

        Raises
        ------
        ValueError
            The text is not linear or names no parameter; there are more restrictions than their
            rank; they concern parameters that were held or are not determined.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sksoftmax import MultinomialLogit
        >>> X, y = load_iris(return_X_y=True)
        >>> results = MultinomialLogit(C=float("inf")).infer(X[50:, :2], y[50:])
        >>> results.wald_test("2:x0 = 0, 2:x1 = 0").df
        2
        """
        return _hypotheses.wald_test(self._estimate, self._covariance, restrictions, value)

    def likelihood_ratio_test(self, restricted: FitStatistics) -> HypothesisTest:
        """Test this model against a special case of it: 2 (loglik - loglik of the restricted).

        Parameters
        ----------
        restricted : LogitResults
            The smaller model, fitted to the same data.

        Returns
        -------
        test : HypothesisTest
            Degrees of freedom are the difference of `n_parameters`.

        Raises
        ------
        ValueError
            The data differ, the other model has as many parameters or more, or its log-likelihood
            is larger.
        """
        if not isinstance(restricted, FitStatistics):
            raise TypeError(f"restricted must be LogitResults; got {type(restricted).__name__}.")
        df = self.n_parameters - restricted.n_parameters
        return _hypotheses.likelihood_ratio_test(self._estimate, restricted._estimate, df)

    def score_test(
        self, X: Any, y: Any, sample_weight: Any = None, *, utilities: Any = None
    ) -> HypothesisTest:
        """Test this model against a larger one that is not fitted (Lagrange multiplier test).

        The statistic is s' H^-1 s, with the score and the information of the larger model at the
        estimate of this one.

        Parameters
        ----------
        X, y, sample_weight
            The data of the fit.
        utilities : dict, default=None
            The larger specification, as `ConditionalLogit` takes it. It holds all parameters of
            this one under their names, and adds others, which the hypothesis sets to 0. A
            `MultinomialLogit` has none: its larger model is an X with further columns.

        Returns
        -------
        test : HypothesisTest

        Raises
        ------
        ValueError
            The data are not those of the fit, or the specification does not contain this one.
        """
        e = self._estimate
        params = dict(zip(e.names, e.params.tolist(), strict=True))
        larger = e.model.evaluate(X, y, sample_weight, params=params, utilities=utilities)
        return _hypotheses.score_test(e, larger, self.n_parameters)

    def hausman_mcfadden_test(
        self, X: Any, y: Any, sample_weight: Any = None, *, without: Any
    ) -> IIATest:
        """Test the independence of irrelevant alternatives by taking one away.

        The model is fitted to the choices that remain when an alternative and those who chose it
        are gone. Under independence both fits estimate the same, and
        H = d' (V_without - V)^-1 d is chi-square distributed, d being the difference of what both
        identify [1]_. In samples V_without - V need not be positive definite. Then there is no
        statistic, and the result is NaN and shows the eigenvalues.

        Parameters
        ----------
        X, y, sample_weight
            The data of the fit.
        without : label
            The alternative to take away.

        Returns
        -------
        test : IIATest

        Raises
        ------
        ValueError
            `without` is no alternative, the data are not those of the fit, or nothing is
            identified without it.

        References
        ----------
        .. [1] J. Hausman, D. McFadden (1984). Specification tests for the multinomial logit model.
           Econometrica 52, 1219-1240.
        """
        return _hypotheses.hausman_mcfadden_test(self._estimate, X, y, sample_weight, without)

    # --- what follows from the model --------------------------------------------------------------

    def elasticities(
        self,
        X: Any,
        column: Any,
        *,
        sample_weight: Any = None,
        transform: Transform | None = None,
    ) -> Effects:
        """Elasticities of the probabilities with respect to a column of X, own and cross.

        e[n, j] = x (dV_nj/dx - sum_k p_nk dV_nk/dx), with the derivatives of all utilities that the
        column enters: for a column of one alternative, its own elasticity and the cross
        elasticities of the others.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_columns)
            Observations.
        column : str or int
            The column: its name, or in an array its position or "x0", "x1", ...
        sample_weight : array-like of shape (n_samples,), default=None
            Of the observations in averages.
        transform : callable, default=None
            From X to what the model takes, if that has columns derived from `column` (logs,
            interactions), or the steps of a pipeline before the model; applied to all rows at once.
            The derivative is then a central difference: about 10 digits, fewer where a value is
            below a thousandth of the column's median size.

        Returns
        -------
        effects : Effects
            By observation, as averages and weighted by probability, with delta-method standard
            errors.
        """
        warn_of_penalty(self._estimate)
        return _effects.elasticities(
            self._estimate, self._covariance, X, column, sample_weight, transform
        )

    def marginal_effects(
        self,
        X: Any,
        column: Any,
        *,
        sample_weight: Any = None,
        transform: Transform | None = None,
    ) -> Effects:
        """Marginal effects dp/dx of a column of X; of a column of 0 and 1 p(x=1) - p(x=0).

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_columns)
            Observations.
        column : str or int
            The column: its name, or in an array its position or "x0", "x1", ...
        sample_weight : array-like of shape (n_samples,), default=None
            Of the observations in averages.
        transform : callable, default=None
            From X to what the model takes, as in `elasticities`.

        Returns
        -------
        effects : Effects
            By observation and on average, with delta-method standard errors. They sum to zero over
            the alternatives.
        """
        warn_of_penalty(self._estimate)
        return _effects.marginal_effects(
            self._estimate, self._covariance, X, column, sample_weight, transform
        )

    def ratio(
        self,
        numerator: str,
        denominator: str,
        *,
        method: str = "delta",
        confidence_level: float = 0.95,
        n_draws: int = 10_000,
        random_state: Any = None,
    ) -> Ratio:
        """Ratio of two parameters, with its interval.

        Parameters
        ----------
        numerator, denominator : str
            Names of parameters.
        method : {"delta", "krinsky-robb", "fieller"}, default="delta"
            A normal approximation; quantiles of the ratio of normal draws; or the set of all
            ratios that a test does not reject, which is right however close to zero the denominator
            is, and may be unbounded.
        confidence_level : float, default=0.95
            Of the interval.
        n_draws : int, default=10_000
            Draws for "krinsky-robb".
        random_state : int, RandomState instance or None, default=None
            For "krinsky-robb".

        Returns
        -------
        ratio : Ratio

        Warns
        -----
        UserWarning
            The denominator is within 3 standard errors of zero.
        """
        return _ratios.ratio(
            self._estimate,
            self._covariance,
            numerator,
            denominator,
            method=method,
            confidence_level=confidence_level,
            n_draws=n_draws,
            random_state=random_state,
        )

    def willingness_to_pay(
        self,
        attribute: str,
        price: str,
        *,
        method: str = "delta",
        confidence_level: float = 0.95,
        n_draws: int = 10_000,
        random_state: Any = None,
    ) -> Ratio:
        """Return -b_attribute / b_price: what one unit more of the attribute is worth.

        Parameters
        ----------
        attribute, price : str
            Names of parameters.
        method, confidence_level, n_draws, random_state
            As in `ratio`.

        Returns
        -------
        ratio : Ratio
            In units of the price per unit of the attribute.

        Warns
        -----
        UserWarning
            The price coefficient is within 3 standard errors of zero.
        """
        return -self.ratio(
            attribute,
            price,
            method=method,
            confidence_level=confidence_level,
            n_draws=n_draws,
            random_state=random_state,
        )

    def consumer_surplus(
        self,
        X: Any,
        X_new: Any,
        price: str,
        *,
        unpriced: Collection[Any] = (),
        sample_weight: Any = None,
    ) -> ConsumerSurplus:
        """Change of consumer surplus from X to X_new: (logsum_new - logsum) / (-b_price) [1]_.

        Parameters
        ----------
        X, X_new : array-like or data frame of shape (n_samples, n_columns)
            The same observations before and after.
        price : str
            The parameter of the price.
        unpriced : collection of labels, default=()
            Alternatives that cost nothing, whose utility has no price.
        sample_weight : array-like of shape (n_samples,), default=None
            Of the observations in the average.

        Returns
        -------
        surplus : ConsumerSurplus
            In units of the price.

        Raises
        ------
        ValueError
            The coefficient is not negative, or does not enter all priced alternatives.

        References
        ----------
        .. [1] K. Small, H. Rosen (1981). Applied welfare economics with discrete choice models.
           Econometrica 49, 105-130.
        """
        return _surplus.consumer_surplus(
            self._estimate, self._covariance, X, X_new, price, unpriced, sample_weight
        )
