"""The graph of a baseline for other programs: DOT, GraphML, and the surroundings of a class."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from io import BytesIO
from typing import TypeAlias

import networkx as nx

from hgeisim.errors import InputError, Problem, did_you_mean
from hgeisim.lockorder.baseline.baseline import Baseline

Pair: TypeAlias = tuple[str, str]
"""An edge: the class that was held, and the one that was wanted."""


def graph_of(baseline: Baseline) -> nx.DiGraph:
    """A networkx graph: nodes are classes with type, wait and usage; edges have kinds and site."""
    graph = nx.DiGraph(name=baseline.kernel)
    for name, cls in baseline.classes.items():
        graph.add_node(name, type=cls.kind, wait=cls.wait, usage=cls.usage)
    for (source, target), edge in baseline.edges.items():
        graph.add_edge(source, target, kinds=",".join(sorted(edge.kinds)), site=edge.site)
    return graph


def around(baseline: Baseline, cls: str, depth: int) -> Baseline:
    """The part of a baseline within `depth` dependencies of a class, in either direction."""
    if cls not in baseline.classes:
        hint = did_you_mean(cls, baseline.classes)
        names = ", ".join(sorted(baseline.classes))
        allowed = f"is not a class of this lock order; it has {names}"
        raise InputError([Problem("command line", "--around", repr(cls), allowed, hint)])
    undirected = graph_of(baseline).to_undirected(as_view=True)
    inside = set(nx.single_source_shortest_path_length(undirected, cls, cutoff=depth))
    return Baseline(
        baseline.kernel,
        baseline.scenarios,
        {name: facts for name, facts in baseline.classes.items() if name in inside},
        {pair: facts for pair, facts in baseline.edges.items() if set(pair) <= inside},
    )


def adjacent(baseline: Baseline, kept_anyway: Collection[Pair] = ()) -> Baseline:
    """A graph fit to be looked at: without the dependencies that follow from others, unless they
    are in a cycle or to be kept anyway."""
    parts = nx.condensation(graph_of(baseline))
    kept = nx.transitive_reduction(parts)
    part_of = parts.graph["mapping"]
    edges = {}
    for (source, target), facts in baseline.edges.items():
        cycle = parts.nodes[part_of[source]]["members"]
        in_cycle = len(cycle) > 1 and target in cycle
        direct = kept.has_edge(part_of[source], part_of[target])
        if direct or in_cycle or (source, target) in kept_anyway:
            edges[source, target] = facts
    return Baseline(baseline.kernel, baseline.scenarios, baseline.classes, edges)


def classes_in_cycles(baseline: Baseline) -> set[str]:
    """The classes that are in a cycle."""
    parts = nx.strongly_connected_components(graph_of(baseline))
    return {name for part in parts if len(part) > 1 for name in part}


def dot(baseline: Baseline, added: Collection[Pair] = ()) -> str:
    """The graph for Graphviz; classes in a cycle are red, edges in `added` bold."""
    red = classes_in_cycles(baseline)
    lines = [
        "digraph locks {",
        "  rankdir=LR; node [shape=box, fontname=monospace]; edge [fontname=monospace];",
    ]
    for name, cls in sorted(baseline.classes.items()):
        colour = ', color="red"' if name in red else ""
        lines.append(f'  "{name}" [label="{name}\\n{cls.kind} {{{cls.usage}}}"{colour}];')
    for (source, target), edge in sorted(baseline.edges.items()):
        colour = ', color="red"' if {source, target} <= red else ""
        kinds = ",".join(sorted(edge.kinds))
        bold = ', style="bold"' if (source, target) in added else ""
        label = f"{kinds}\\n{edge.site}"
        lines.append(f'  "{source}" -> "{target}" [label="{label}"{colour}{bold}];')
    return "\n".join([*lines, "}"]) + "\n"


def graphml(baseline: Baseline) -> str:
    """The graph as GraphML."""
    out = BytesIO()
    nx.write_graphml(graph_of(baseline), out)
    return out.getvalue().decode("utf-8") + "\n"


def tree(baseline: Baseline, added: Collection[Pair] = ()) -> Iterator[str]:
    """Yield the graph as text: each class, and below it the classes that were taken inside; edges
    in `added` are marked."""
    for name, cls in sorted(baseline.classes.items()):
        yield f"{name}  {cls.kind} {cls.wait} {{{cls.usage}}}"
        for (source, target), edge in sorted(baseline.edges.items()):
            if source == name:
                mark = "+" if (source, target) in added else " "
                yield f"{mark} < {target}  {','.join(sorted(edge.kinds))}  {edge.site}"
