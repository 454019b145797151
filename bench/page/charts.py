# SPDX-License-Identifier: GPL-2.0
"""Charts: SVG in which places are percentages, so that they fit any width.

Colours are classes or variables of the style sheet, so that they follow the
reader's choice of light or dark.
"""

import math
from html import escape

INK = {'pass': 'var(--pass)', 'fail': 'var(--fail)',
       'inconclusive': 'var(--doubt)', 'skipped': 'var(--doubt)',
       'measured': 'var(--subject)'}


def number(value):
    """A figure of three digits or so, for people."""
    if value is None:
        return ''
    size = abs(value)
    if size >= 1e6:
        return f'{value / 1e6:.3g} M'
    if size >= 1000:
        return f'{value:,.0f}'
    if size >= 100:
        return f'{value:.0f}'
    if size >= 10:
        return f'{value:.1f}'
    return f'{value:.2f}' if size >= 0.05 or not size else f'{value:.2g}'


def nanoseconds(value):
    """A time with the unit that suits it."""
    for limit, unit in ((1e9, 's'), (1e6, 'ms'), (1e3, 'µs')):
        if abs(value) >= limit:
            return f'{value / limit:.3g} {unit}'
    return f'{value:.3g} ns'


class Scale:
    """Values to percent of a width."""

    def __init__(self, low, high, log=False):
        self.log = log
        self.low = math.log10(low) if log else low
        self.high = math.log10(high) if log else high

    def __call__(self, value):
        if self.log:
            value = math.log10(max(value, 1e-12))
        part = (value - self.low) / ((self.high - self.low) or 1)
        return round(100 * min(max(part, 0), 1), 3)

    def holds(self, value):
        """Whether it does not lie beyond the ends."""
        value = math.log10(value) if self.log else value
        return self.low <= value <= self.high


def decades(low, high):
    """Powers of ten that lie in a range."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0 ** power for power in range(first, last + 1)]


def ticks(low, high, count=5):
    """Round values in a range."""
    rough = (high - low) / count or 1
    unit = 10 ** math.floor(math.log10(rough))
    step = min((m * unit for m in (1, 2, 2.5, 5, 10)),
               key=lambda size: abs(size - rough))
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 10)
            for i in range(first, math.floor(high / step + 1e-9) + 1)]


def line(x1, y1, x2, y2, colour, width=1.0, more=''):
    """A line; places are percentages or plain numbers."""
    return (f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" '
            f'style="stroke:{colour};stroke-width:{width}" {more}/>')


def figure(label, body, height):
    """An SVG of full width."""
    return (f'<svg height="{height}" role="img" aria-label="{escape(label)}">'
            f'{body}</svg>')


def axis(scale, values, text):
    """The line of labels above or below rows."""
    labels = ''.join(f'<span style="left:{scale(value)}%">'
                     f'{escape(text(value))}</span>' for value in values)
    return (f'<div class="axis"><div class="gap"></div><div>{labels}</div>'
            '<div class="gap"></div></div>')


def grid(scale, values, height):
    """Vertical lines of a row."""
    return ''.join(line(f'{scale(value)}%', 0, f'{scale(value)}%', height,
                        'var(--grid)') for value in values)


def whisker(scale, estimate, verdict, ceiling, values, label):
    """One row of a forest plot: a median, its interval, its ceiling."""
    height, middle = 30, 15
    value, low, high = estimate
    ink = INK[verdict]
    body = grid(scale, values, height)
    if scale.holds(1):
        body += line(f'{scale(1)}%', 0, f'{scale(1)}%', height, 'var(--twin)',
                     1.5, 'stroke-dasharray="2 3"')
    if ceiling is not None and scale.holds(ceiling):
        at = f'{scale(ceiling)}%'
        body += line(at, 3, at, height - 3, 'var(--ceiling)', 2)
    body += line(f'{scale(low)}%', middle, f'{scale(high)}%', middle, ink, 3,
                 'stroke-linecap="round"')
    body += (f'<circle cx="{scale(value)}%" cy="{middle}" r="5.5" '
             f'style="fill:{ink}"/>')
    return figure(label, body, height)


def bars(scale, pairs, ceiling, values, label):
    """Bars one below the other: (value, colour)."""
    height = 13 * len(pairs) + 4
    body = grid(scale, values, height)
    for number_of, (value, colour) in enumerate(pairs):
        body += (f'<rect x="0" y="{2 + 13 * number_of}" height="11" rx="3" '
                 f'width="{max(scale(value), 0.4)}%" style="fill:{colour}"/>')
    if ceiling is not None and scale.holds(ceiling):
        at = f'{scale(ceiling)}%'
        body += line(at, 0, at, height, 'var(--ceiling)', 2)
    return figure(label, body, height)


def dots(scale, subject, twin, ceiling, values, label):
    """Two dots and what lies between them: for logarithmic axes."""
    height, middle = 30, 15
    places = [f'{scale(value)}%' for value in (subject, twin)]
    body = grid(scale, values, height)
    if ceiling is not None and scale.holds(ceiling):
        at = f'{scale(ceiling)}%'
        body += line(at, 3, at, height - 3, 'var(--ceiling)', 2)
    body += line(places[0], middle, places[1], middle, 'var(--faint)', 5,
                 'stroke-linecap="round"')
    for place, colour in zip(places[::-1], ('var(--twin)', 'var(--subject)')):
        body += (f'<circle cx="{place}" cy="{middle}" r="6" '
                 f'style="fill:{colour}"/>')
    return figure(label, body, height)


def row(name, about, plot, figure_text, small=''):
    """What it is, its plot, its figure."""
    return (f'<div class="row"><div class="what"><b>{escape(name)}</b>'
            f'<span>{escape(about)}</span></div>'
            f'<div class="plot">{plot}</div>'
            f'<div class="figure">{figure_text}'
            f'<small>{escape(small)}</small></div></div>')


def legend(*entries):
    """(colour or None for a ceiling, text) each."""
    return '<div class="legend">' + ''.join(
        '<span><i ' + (f'style="background:{colour}"' if colour
                       else 'class="bar"') + f'></i>{escape(text)}</span>'
        for colour, text in entries) + '</div>'


def curve(xs, ys, points, colour):
    """A line through points, and dots on them."""
    places = [(xs(x), 100 - ys(y)) for x, y in points]
    path = ' '.join(f'{x},{y:.3f}' for x, y in places)
    lines = ('<svg viewBox="0 0 100 100" preserveAspectRatio="none">'
             f'<polyline points="{path}" vector-effect="non-scaling-stroke" '
             f'style="fill:none;stroke:{colour};stroke-width:2.2;'
             'stroke-linejoin:round"/></svg>')
    dots = ''.join(f'<circle cx="{x}%" cy="{y:.3f}%" r="3.4" '
                   f'style="fill:{colour}"/>' for x, y in places)
    return lines + f'<svg>{dots}</svg>'


def chart(title, sub, xs, ys, x_ticks, y_ticks, series, marks=''):
    """A chart with axes. Series are (points, colour)."""
    rules = ''.join(line(0, f'{100 - ys(value):.3f}%', '100%',
                         f'{100 - ys(value):.3f}%', 'var(--grid)')
                    for value, _ in y_ticks)
    labels_y = ''.join(f'<span style="top:{100 - ys(value):.3f}%">'
                       f'{escape(text)}</span>' for value, text in y_ticks)
    labels_x = ''.join(f'<span style="left:{xs(value)}%">{escape(text)}'
                       '</span>' for value, text in x_ticks)
    curves = ''.join(curve(xs, ys, points, colour)
                     for points, colour in series)
    return (f'<div class="chart"><h3>{escape(title)}</h3>'
            f'<div class="sub">{escape(sub)}</div><div class="plot">'
            f'<div class="ys">{labels_y}</div>'
            f'<div class="area" role="img" aria-label="{escape(title)}">'
            f'<svg>{rules}{marks}</svg>{curves}</div>'
            f'<div class="xs">{labels_x}</div></div></div>')
