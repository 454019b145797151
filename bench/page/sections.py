# SPDX-License-Identifier: GPL-2.0
"""The sections of the page, each from the records that it shows."""

import math
from html import escape

from page import charts
from page.charts import Scale, number, nanoseconds
from page.data import goal_ceiling, goal_verdict
from page.trend import change_points

GOALS = {'ratio': 'time, library over twin', 'ns': 'time',
         'ns_over': 'time over the twin', 'ir': 'instructions',
         'ir_over': 'instructions over the twin',
         'ir_ratio': 'instructions, library over twin',
         'ns_per_mib': 'time of registering a MiB', 'holds': 'holds'}
UNITS = {'ns': ' ns', 'ns_over': ' ns', 'ns_per_mib': ' ns'}


def tag(verdict):
    """A verdict as a coloured word."""
    return f'<span class="tag {verdict}">{verdict}</span>'


def section(title, lead, body):
    """A card."""
    return (f'<section><h2>{escape(title)}</h2><p class="note">{lead}</p>'
            f'{body}</section>') if body else ''


def score(results):
    """How many goals hold."""
    verdicts = [entry[4] for entry in results.judged()]
    cells = [('pass', 'goals hold'), ('fail', 'are missed'),
             ('inconclusive', 'inconclusive')]
    body = ''.join(f'<div class="{kind}"><b>{verdicts.count(kind)}</b>'
                   f'<span>{text}</span></div>' for kind, text in cells)
    return (f'<div class="score">{body}<div><b>{len(results.skipped())}</b>'
            '<span>questions skipped</span></div></div>')


def forest_note(row):
    """(verdict, what the goal is) of a row that is shown as a ratio."""
    for kind, unit in (('ratio', ''), ('ns_over', ' ns')):
        ceiling = goal_ceiling(row, kind)
        if ceiling is not None:
            over = (f'{row["over"][0]:+.1f} ns, ' if kind == 'ns_over'
                    else '')
            return (goal_verdict(row, kind),
                    f'{over}at most {ceiling:.3g}{unit} · ')
    return 'measured', ''


def forest_row(row, scale, values):
    verdict, note = forest_note(row)
    value, low, high = row['ratio']
    text = f'{value:.3f} [{low:.3f}, {high:.3f}]'
    plot = charts.whisker(scale, row['ratio'], verdict,
                          goal_ceiling(row, 'ratio'), values,
                          f'{row["name"]}: ratio {text}')
    return charts.row(row['name'], row['about'], plot,
                      f'<b>{value:.3f}</b> {tag(verdict)}',
                      f'{note}A/A {row["control"][0]:.4f}')


def forest(rows, low, high, values, title, lead, log=False):
    """A forest plot of ratios."""
    if not rows:
        return ''
    scale = Scale(low, high, log)
    shown = charts.axis(scale, values, lambda value: f'{value:g}×')
    body = charts.legend(('var(--pass)', 'goal holds'),
                         ('var(--fail)', 'goal missed'),
                         ('var(--doubt)', 'inconclusive'),
                         ('var(--subject)', 'no goal'), (None, 'ceiling'))
    body += shown + ''.join(forest_row(row, scale, values) for row in rows)
    return section(title, lead, body + shown)


def whole_operations(results):
    rows = [row for row in results.group('macro') if row['ratio'][0] > 0.7]
    top = max([1.1] + [row['ratio'][2] for row in rows])
    top = (int(top * 20) + 1) / 20
    return forest(
        rows, 0.95, top, charts.ticks(0.95, top, 4),
        'Whole operations, kernel included',
        'Processor time of an operation by the library, with all its checks '
        'and counters, over that of raw batched liburing on the same ring '
        'flags and the same registered memory. Dot: median of paired ratios; '
        'bar: its 95&nbsp;% interval.')


def saved_by_fixed(results):
    rows = [row for row in results.group('macro') if row['ratio'][0] <= 0.7]
    return forest(
        rows, 0.01, 1, [0.01, 0.03, 0.1, 0.3, 1],
        'What fixed buffers save',
        'The same reads with <code>O_DIRECT</code>, beside what most programs '
        'do: <code>READ</code> into memory from <code>malloc()</code>, which '
        'the kernel pins and unpins page by page for every operation.', True)


def primitives(results):
    rows = results.group('micro')
    if not rows:
        return ''
    top = 1.08 * max(max(row['subject_ns'][0], row['twin_ns'][0])
                     for row in rows)
    scale, values = Scale(0, top), charts.ticks(0, top, 5)
    shown = charts.axis(scale, values, lambda value: f'{value:g} ns')
    body = charts.legend(('var(--subject)', 'the library'),
                         ('var(--twin)', 'the same without it')) + shown
    for row in rows:
        pair = [(row['subject_ns'][0], 'var(--subject)'),
                (row['twin_ns'][0], 'var(--twin)')]
        plot = charts.bars(scale, pair, goal_ceiling(row, 'ns'), values,
                           f'{row["name"]}: {row["subject_ns"][0]:.2f} ns, '
                           f'twin {row["twin_ns"][0]:.2f} ns')
        kind = next((goal['kind'] for goal in row['goals']
                     if goal['kind'] in ('ns_over', 'ns', 'ratio')), None)
        note = ''
        if kind:
            figure = {'ns_over': row['over'], 'ns': row['subject_ns'],
                      'ratio': row['ratio']}[kind][0]
            unit = UNITS.get(kind, '×')
            sign = '+' if kind == 'ns_over' else ''
            note = (f'{figure:{sign}.2f}{unit}, at most '
                    f'{goal_ceiling(row, kind):g}')
        body += charts.row(row['name'], row['about'], plot,
                           f'<b>{row["subject_ns"][0]:.2f}</b> ns '
                           f'{tag(row["verdict"])}', note)
    return section('Primitives', 'What a program pays for a check, a get or a '
                   'put, by itself in a loop.', body)


def rivals(results):
    rows = sorted(results.group('rivals'), key=lambda row: row['twin_ns'][0])
    if not rows:
        return ''
    top = max(row['twin_ns'][0] for row in rows) * 1.5
    scale = Scale(0.5, top, True)
    values = [value for value in charts.decades(1, top) if value <= top]
    ours = sorted(row['subject_ns'][0] for row in rows)[len(rows) // 2]
    shown = charts.axis(scale, values, nanoseconds)
    body = charts.legend(('var(--subject)', 'the pool: get and put'),
                         ('var(--twin)', 'the rival')) + shown
    for row in rows:
        plot = charts.dots(scale, row['subject_ns'][0], row['twin_ns'][0],
                           None, values, f'{row["twin"]}: {row["twin_ns"][0]:.1f} '
                           f'ns, the pool {ours:.2f} ns')
        ceiling = goal_ceiling(row, 'ratio')
        times = row['twin_ns'][0] / row['subject_ns'][0]
        note = f'goal: {round(1 / ceiling, 1):,g}× faster' if ceiling else ''
        body += charts.row(row['twin'], row['name'], plot,
                           f'<b>{number(times)}×</b> faster '
                           f'{tag(row["verdict"])}', note)
    return section('Rivals', f'A buffer got and given back takes '
                   f'{ours:.2f}&nbsp;ns from the pool. Here is what it takes '
                   'from others, on a logarithmic scale.', body)


def instructions(results):
    rows = list(results.instructions.values())
    if not rows:
        return ''
    top = max(max(row['ir'], row['twin_ir']) for row in rows) * 1.3
    scale = Scale(5, top, True)
    values = [value for value in (10, 30, 100, 300, 1000) if value <= top]
    shown = charts.axis(scale, values, lambda value: f'{value:g}')
    body = charts.legend(('var(--subject)', 'the library'),
                         ('var(--twin)', 'the same without it'),
                         (None, 'goal')) + shown
    for row in rows:
        goals = {goal['kind']: goal for goal in row['goals']}
        ceiling = None
        if 'ir' in goals:
            ceiling = goals['ir']['ceiling']
        elif 'ir_over' in goals:
            ceiling = row['twin_ir'] + goals['ir_over']['ceiling']
        elif 'ir_ratio' in goals:
            ceiling = row['twin_ir'] * goals['ir_ratio']['ceiling']
        verdict = next((goal['verdict'] for goal in row['goals']), 'measured')
        plot = charts.dots(scale, row['ir'], row['twin_ir'], ceiling, values,
                           f'{row["name"]}: {row["ir"]:.1f}, twin '
                           f'{row["twin_ir"]:.1f} instructions')
        note = f'twin {row["twin_ir"]:.1f}' + (
            f' · at most {ceiling:.1f}' if ceiling else '')
        body += charts.row(row['name'], row['about'], plot,
                           f'<b>{row["ir"]:.1f}</b> {tag(verdict)}', note)
    return section('Instructions', 'Executed in user space by one operation, '
                   'as callgrind counts them: exact, and the same on every '
                   'run. The axis is logarithmic. None of them is locked, and nothing '
                   'is allocated: the gate fails '
                   'otherwise.', body)


def count_text(value):
    """1024 as 1k."""
    for limit, unit in ((1 << 20, 'M'), (1 << 10, 'k')):
        if value >= limit:
            return f'{value / limit:g}{unit}'
    return f'{value:g}'


def scale_chart(results, name, title, sub, log_y=False):
    points = results.series(name)
    if len(points) < 2:
        return ''
    top = max(max(point['subject'][0], point['twin'][0]) for point in points)
    low = min(min(point['subject'][0], point['twin'][0]) for point in points)
    xs = Scale(points[0]['x'], points[-1]['x'], True)
    if log_y:
        ys = Scale(low / 1.6, top * 1.6, True)
        y_ticks = [(value, number(value))
                   for value in (0.3, 1, 3, 10, 30, 100) if ys.holds(value)]
    else:
        ys = Scale(0, top * 1.1)
        y_ticks = [(value, f'{value:g}')
                   for value in charts.ticks(0, top * 1.1, 4)]
    series = [([(point['x'], point[side][0]) for point in points], colour)
              for side, colour in (('twin', 'var(--twin)'),
                                   ('subject', 'var(--subject)'))]
    return charts.chart(title, sub, xs, ys,
                        [(point['x'], count_text(point['x']))
                         for point in points], y_ticks, series)


def scale(results):
    body = (scale_chart(results, 'scale.buffers', 'By number of buffers',
                        'ns a check, random order') +
            scale_chart(results, 'scale.regions', 'By number of regions',
                        'ns a check, 4,096 buffers') +
            scale_chart(results, 'scale.threads', 'By number of threads',
                        'ns of get and put, logarithmic',
                        True))
    hand = results.series('scale.handover')
    note = ''
    if hand:
        note = ('<p class="note" style="margin-top:14px">Got in one thread '
                'and put in another, 512 at a time: '
                f'<b>{hand[0]["subject"][0]:.1f} ns</b> a buffer, '
                f'{hand[0]["twin"][0]:.1f} ns with a mutex.</p>')
    return section('Scale', 'Whether the cost grows with what there is. Blue '
                   'is the library, grey a descriptor table, or for threads '
                   'a stack under a mutex.',
                   f'<div class="charts">{body}</div>{note}' if body else '')


def latency(results):
    names = sorted({point['name'] for point in results.points
                    if point['group'] == 'latency'})
    body = ''
    for name in names:
        points = results.series(name)
        values = [point[side][0] for point in points
                  for side in ('subject', 'twin')]
        ys = Scale(min(values) / 1.5, max(values) * 1.5, True)
        # Nines lie at equal distances.
        place = {point['x']: order for order, point in enumerate(points)}
        xs = Scale(0, len(points) - 1)
        series = [([(place[point['x']], point[side][0]) for point in points],
                   colour) for side, colour in (('twin', 'var(--twin)'),
                                                ('subject',
                                                 'var(--subject)'))]
        body += charts.chart(
            name, 'wall clock, logarithmic', xs, ys,
            [(place[point['x']], f'p{point["x"]:g}') for point in points],
            [(value, nanoseconds(value))
             for value in charts.decades(min(values), max(values))
             if ys.holds(value)], series)
    return section('Latency', 'Percentiles of 100,000 single operations, one '
                   'at a time. Blue is the library, grey liburing. The far '
                   'end is the machine: other programs, and its host.',
                   f'<div class="charts">{body}</div>' if body else '')


def registration(results):
    points = [point for point in results.points
              if point['group'] == 'registration']
    if not points:
        return ''
    values = [point['subject'][0] for point in points]
    values += [point['twin'][0] for point in points]
    axis = Scale(min(values) / 1.6, max(values) * 1.6, True)
    shown_at = [value for value in charts.decades(min(values), max(values))
                if axis.holds(value)]
    shown = charts.axis(axis, shown_at, nanoseconds)
    body = charts.legend(('var(--subject)', 'register'),
                         ('var(--twin)', 'unregister'),
                         (None, 'at most 2 µs a MiB, from 16 MiB on')) + shown
    for point in sorted(points, key=lambda it: (it['name'], it['x'])):
        goal = 2000 if 'verdict' in point else None
        plot = charts.dots(axis, point['subject'][0], point['twin'][0], goal,
                           shown_at, f'{point["name"]} {point["x"]:g} MiB')
        body += charts.row(f'{point["name"]}, {point["x"]:g} MiB', '', plot,
                           f'<b>{nanoseconds(point["subject"][0])}</b> a MiB '
                           + (tag(point['verdict']) if 'verdict' in point
                              else ''))
    return section('Registering memory', 'Processor time of '
                   '<code>io_uring_register_buffers()</code> for a MiB, by '
                   'kind of page.', body)


def facts(results):
    items = ''.join(f'<li>{tag(fact["verdict"])}<span><b>'
                    f'{escape(fact["name"])}</b> &nbsp;'
                    f'{escape(fact["reason"])}</span></li>'
                    for fact in results.facts
                    if fact['group'] in ('memory', 'numa', 'adaptation'))
    return section('Steady state, placement, adaptation', 'What a million '
                   'operations take from the system, where memory lies, and '
                   'what following the load is good for.',
                   f'<ul class="facts">{items}</ul>' if items else '')


def in_vm(tables):
    wanted = ('Operations on null_blk', 'Goals', 'Memory, from getting it to '
              'giving it back: 64 MiB')
    body = ''.join(f'<h3 style="margin-top:16px">{escape(title)}</h3>'
                   f'<pre>{escape(text)}</pre>' for title, text in tables
                   if title.startswith(wanted))
    return section('In the virtual machine', 'Instructions of the kernel and '
                   'its caller with the module loaded, counted exactly by '
                   '<code>make cost</code>.', body)


def trend_chart(name, what, values):
    changes = change_points(values)
    spread = (max(values) - min(values)) or abs(max(values)) * 0.01 or 1
    ys = Scale(min(values) - spread / 4, max(values) + spread / 4)
    xs = Scale(0, len(values) - 1)
    marks = ''.join(charts.line(f'{xs(place)}%', 0, f'{xs(place)}%', '100%',
                                'var(--fail)', 1.5, 'stroke-dasharray="4 4"')
                    for place in changes)
    sub = f'{what}; ' + (f'changed at run {", ".join(map(str, changes))}'
                         if changes else 'no change')
    steps = charts.ticks(ys.low, ys.high, 3)
    step = steps[1] - steps[0] if len(steps) > 1 else 1
    digits = max(0, math.ceil(-math.log10(step) - 1e-9) + (
        round(step / 10 ** math.floor(math.log10(step)), 6) == 2.5))
    return charts.chart(name, sub, xs, ys,
                        [(0, 'run 0'), (len(values) - 1,
                                        f'run {len(values) - 1}')],
                        [(value, f'{value:.{digits}f}') for value in steps],
                        [(list(enumerate(values)), 'var(--subject)')], marks)


def trends(history):
    if len(history) < 2:
        return ''
    body = ''
    for kind, what in (('ratio', 'ratio of time'), ('ir', 'instructions')):
        names = sorted({name for run in history for name in run[kind]})
        for name in names:
            values = [run[kind][name] for run in history if name in run[kind]]
            if len(values) > 1:
                body += trend_chart(name, what, values)
    return section('Trends', f'The last {len(history)} runs on this machine: '
                   'ratios and instructions, never single times. A dashed '
                   'line is a change point.',
                   f'<div class="charts">{body}</div>' if body else '')


def compared(results):
    rows = results.compared
    if not rows:
        return ''
    spread = max([0.03] + [abs(end - 1) for row in rows
                           for end in row['ratio']]) * 1.1
    axis = Scale(1 - spread, 1 + spread)
    values = charts.ticks(1 - spread, 1 + spread, 4)
    shown = charts.axis(axis, values, lambda value: f'{value:g}×')
    body = shown
    for row in rows:
        value, low, high = row['ratio']
        plot = charts.whisker(axis, row['ratio'], row['verdict'], 1.01,
                              values, row['name'])
        body += charts.row(row['name'], row['base'], plot,
                           f'<b>{value:.3f}</b> {tag(row["verdict"])}',
                           f'[{low:.3f}, {high:.3f}]')
    return section('This build beside another', 'Both libraries measured in '
                   'turns, over the older one.', body)


def table(results):
    body = ''
    for name, kind, ceiling, figure, verdict, reason in results.judged():
        unit = UNITS.get(kind, '')
        body += (f'<tr><td>{escape(name)}</td><td>{GOALS[kind]}</td>'
                 f'<td class="n">{number(figure)}{unit if figure else ""}</td>'
                 f'<td class="n">{number(ceiling)}{unit if ceiling else ""}'
                 f'</td><td>{tag(verdict)}</td><td>{escape(reason)}</td></tr>')
    return section('Every goal', 'Ceilings are never moved to make a row '
                   'pass; what is missed is explained in '
                   '<code>bench/PERFORMANCE.md</code>.',
                   '<div class="scroll"><table><tr><th>row</th><th>goal</th>'
                   '<th class="n">is</th><th class="n">at most</th><th></th>'
                   f'<th></th></tr>{body}</table></div>' if body else '')


def environment(results):
    machine = results.machine
    names = (('processor', 'Processor'), ('processors', 'Processors'),
             ('nodes', 'NUMA nodes'), ('kernel', 'Kernel'),
             ('compiler', 'Compiler'), ('backend', 'Memory of regions'),
             ('thp', 'Transparent huge pages'), ('module', 'Module'),
             ('io_uring', 'io_uring'), ('cycle_ns', 'A cycle, ns'))
    body = ''.join(f'<dt>{text}</dt><dd>{escape(str(machine[key]))}</dd>'
                   for key, text in names if key in machine)
    body = f'<dl>{body}</dl>'
    unfit = machine.get('unfit', [])
    if unfit:
        body += ('<h3 style="margin-top:20px">What makes this machine unfit'
                 '</h3><ul class="facts">' +
                 ''.join(f'<li><span class="tag inconclusive">note</span>'
                         f'<span>{escape(text)}</span></li>'
                         for text in unfit) + '</ul>')
    skipped = results.skipped()
    if skipped:
        body += ('<h3 style="margin-top:20px">What was skipped</h3>'
                 '<ul class="facts">' +
                 ''.join(f'<li>{tag("skipped")}<span><b>{escape(name)}</b> '
                         f'&nbsp;{escape(reason)}</span></li>'
                         for name, reason in skipped) + '</ul>')
    return section('Where this was measured', 'Ratios travel to other '
                   'machines better than nanoseconds do.', body)
