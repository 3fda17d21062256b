"""A layer in steps, each of which may be written differently: what wrong answers are made of."""

import inspect
import types

from ...grader.exercise import Mistake


def mistakes_in(signature, there, back):
    """wrong(name, says, **steps) -> the Mistake of a layer in which these steps are written differently.

    signature is a function with the layer's arguments; there and back are {step: f(v)}, where v holds the arguments and
    what the steps before have made.  The layer returns v.y, and its backward v.grads.
    """
    takes = inspect.signature(signature)

    def wrong(name, says, *, large=False, **steps):
        unknown = steps.keys() - there.keys() - back.keys()
        assert not unknown, f"{name}: there is no step {unknown}"

        def layer(*arrays, **options):
            given = takes.bind(*arrays, **options)
            given.apply_defaults()
            v = follow(there, steps, types.SimpleNamespace(**given.arguments))

            def backward(dy):
                return follow(back, steps, types.SimpleNamespace(**{**vars(v), "dy": dy})).grads

            return v.y, backward

        layer.__signature__ = takes  # its gradients are named after its arguments
        return Mistake(name, says, layer, large)

    return wrong


def follow(recipe, steps, v):
    """v, with what each step of the recipe makes."""
    for name, step in recipe.items():
        setattr(v, name, steps.get(name, step)(v))
    return v
