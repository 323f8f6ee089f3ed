"""A Gaussian process on coalitions: what a game is, as far as its values so far tell.

Write a coalition as x in {-1, +1}^n and the game as v(x) = sum over T of f_T(|x|) x_T, where |x|
counts the features that are kept and x_T is the product of the x_i of T. Whatever is linear in v
(Shapley values, interactions, the fit of LIME) has a posterior mean and a standard error in closed
form. `prior` says what is expected of the f_T, `design` which coalitions are asked for, `posterior`
what their values tell, and `learning` when enough is known.
"""

from explain.attribution.game_model.design import pairs
from explain.attribution.game_model.learning import LearnedGame, Limits, learn
from explain.attribution.game_model.model import GameModel
from explain.attribution.game_model.posterior import RESOLUTION, ReadOut
from explain.attribution.game_model.symmetric import SizeWeights

__all__ = [
    "RESOLUTION",
    "GameModel",
    "LearnedGame",
    "Limits",
    "ReadOut",
    "SizeWeights",
    "learn",
    "pairs",
]
