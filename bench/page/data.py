# SPDX-License-Identifier: GPL-2.0
"""What the bench has written, sorted by kind."""

import json
import re


def read_lines(path):
    """JSON objects of a file, one a line; none if there is no file."""
    try:
        with open(path, encoding='utf-8') as file:
            return [json.loads(line) for line in file if line.strip()]
    except FileNotFoundError:
        return []


class Results:
    """Records of one run."""

    def __init__(self, records):
        self.records = records
        self.machine = self.first('machine')
        self.run = self.first('run')
        self.rows = self.of('row')
        self.instructions = {record['name']: record
                             for record in self.of('instructions')}
        self.points = self.of('point')
        self.facts = self.of('fact')
        self.compared = self.of('compare')

    def of(self, kind):
        """Records of a kind."""
        return [record for record in self.records if record['kind'] == kind]

    def first(self, kind):
        """The first of them, or an empty one."""
        return next(iter(self.of(kind)), {})

    def group(self, name):
        """Rows of a group that were measured."""
        return [row for row in self.rows
                if row['group'] == name and 'ratio' in row]

    def series(self, name):
        """Points of a curve, by x."""
        return sorted((point for point in self.points
                       if point['name'] == name), key=lambda it: it['x'])

    def judged(self):
        """(name, goal kind, ceiling, figure, verdict, reason) of each goal."""
        figures = {'ratio': 'ratio', 'ns': 'subject_ns', 'ns_over': 'over'}
        for row in self.rows:
            for goal in row['goals']:
                if goal['kind'] in figures and 'ratio' in row:
                    yield (row['name'], goal['kind'], goal['ceiling'],
                           row[figures[goal['kind']]][0], goal['verdict'],
                           row.get('reason', ''))
        for row in self.instructions.values():
            for goal in row['goals']:
                yield (row['name'], goal['kind'], goal['ceiling'],
                       goal['value'], goal['verdict'], '')
        for point in self.points:
            if 'verdict' in point:
                yield (f'{point["name"]}, {point["x"]:g} MiB', 'ns_per_mib',
                       2000, point['subject'][0], point['verdict'], '')
        for fact in self.facts:
            if fact['verdict'] in ('pass', 'fail', 'inconclusive'):
                yield (fact['name'], 'holds', None, None, fact['verdict'],
                       fact['reason'])

    def skipped(self):
        """(name, reason) of what was not measured."""
        return [(record['name'], record.get('reason', ''))
                for record in self.rows + self.facts
                if record['verdict'] == 'skipped']


def goal_ceiling(row, kind):
    """The ceiling of a row's goal of a kind, or None."""
    return next((goal['ceiling'] for goal in row['goals']
                 if goal['kind'] == kind), None)


def goal_verdict(row, kind):
    """The verdict on it; "measured" without a goal."""
    return next((goal.get('verdict', 'measured') for goal in row['goals']
                 if goal['kind'] == kind), 'measured')


def cost_tables(path):
    """Tables of the page on costs in the virtual machine: (title, text)."""
    try:
        with open(path, encoding='utf-8') as file:
            text = file.read()
    except FileNotFoundError:
        return []
    found = re.search(r'<!-- figures:.*?```\n(.*?)```', text, re.S)
    if not found:
        return []
    blocks = found[1].strip('\n').split('\n\n')
    return [tuple(block.split('\n', 1)) for block in blocks[1:]
            if '\n' in block]
