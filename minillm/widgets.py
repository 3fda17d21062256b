"""A panel: a figure that follows sliders and choices.  panels/ holds those of the notebooks."""

import textwrap

from .describe import number


def panel(draw, **controls):
    """Show controls, and below them what `draw` makes of their values; it is drawn anew whenever one is moved.

    draw(**values) returns (figure, text).  controls are ipywidgets, or ranges in their short form: (low, high) or
    (low, high, step) is a slider, a list is a choice.  Where drawing takes longer than half a second, give a slider
    with continuous_update=False: it is drawn when the slider is let go.

    The first frame is ordinary output, which stays in a stored notebook; later ones take its place.  If `draw` fails
    then, the frame says so in a sentence; if it fails at first, the cell fails.  Returns None.
    """
    from IPython.display import display

    knobs = _knobs(controls)
    picture, text = _frame(draw, knobs)  # before anything is shown
    display(_box(knobs), raw=True)
    above = display(picture["data"], metadata=picture["metadata"], raw=True, display_id=True)
    below = display({"text/plain": text}, raw=True, display_id=True)

    def redraw(change):
        try:
            picture, text = _frame(draw, knobs)
        except Exception as error:
            said = textwrap.fill(f"This cannot be drawn: {type(error).__name__}: {error}", 96)
            picture, text = {"data": {"text/plain": said}, "metadata": {}}, ""
        above.update(picture["data"], metadata=picture["metadata"], raw=True)
        below.update({"text/plain": text}, raw=True)

    for knob in knobs.values():
        knob.observe(redraw, names="value")


def _frame(draw, knobs):
    """What draw() makes of the values that the knobs have now: the picture as IPython takes it, and the text."""
    figure, text = draw(**{name: knob.value for name, knob in knobs.items()})
    data, metadata = figure._repr_mimebundle_()
    return {"data": data, "metadata": metadata}, "\n".join(textwrap.fill(line, 96) for line in text.splitlines())


def _knobs(controls):
    """The controls as widgets, with names of one width, and sliders long enough to be set with care."""
    import ipywidgets

    knobs = {}
    for name, control in controls.items():
        if isinstance(control, list):
            # not a Dropdown: JupyterLab takes the arrow keys, and moves on to the next cell
            control = ipywidgets.ToggleButtons(options=control, style={"button_width": "auto"})
        knob = ipywidgets.interactive.widget_from_abbrev(control)
        if not isinstance(knob, ipywidgets.ValueWidget):
            raise ValueError(f"panel: {name} must be a widget, a range or a list, not {control!r}.")
        knob.description = knob.tooltip = knob.description or name
        knobs[name] = knob
    width = f"{1 + max((len(knob.description) for knob in knobs.values()), default=0)}ch"
    for knob in knobs.values():
        knob.style.description_width = width
        if isinstance(knob, ipywidgets.ToggleButtons):
            knob.add_class("widget-inline-hbox")  # its name beside it, as the others have
        elif "Slider" in type(knob).__name__:
            knob.layout.width = "min(100%, 36em)"
    return knobs


def _box(knobs):
    """The knobs, one below the other; where widgets do not load, a sentence with their values."""
    import ipywidgets

    said = ", ".join(f"{knob.description} {_value(knob)}" for knob in knobs.values())
    box = ipywidgets.VBox(list(knobs.values()))
    return {**box._repr_mimebundle_(), "text/plain": f"Run this cell in JupyterLab to move: {said}."}


def _value(knob):
    return number(knob.value) if isinstance(knob.value, (int, float)) else knob.value
