"""Checks at upload: the source is parsed, nothing of it runs."""
import ast
import difflib
import importlib.util
import sys

import _sources
import campaigns

LIMIT = 256 << 10


def problems(code, filename, kind, function, stages):
    """What is wrong with the source: [{severity, message, line, column}]."""
    found = []

    def add(severity, message, node=None):
        line, column = (node.lineno, node.col_offset + 1) if node is not None else (1, 1)
        found.append({"severity": severity, "message": message, "line": line, "column": column})

    if len(code) > LIMIT:
        add("error", f"the code is longer than {LIMIT >> 10} KiB")
        return found
    try:
        tree = ast.parse(code, filename)
        compile(tree, filename, "exec")
    except SyntaxError as problem:
        return [{"severity": "error", "message": problem.msg, "line": problem.lineno or 1, "column": problem.offset or 1}]
    except (ValueError, RecursionError, MemoryError) as problem:
        add("error", str(problem) or type(problem).__name__)
        return found
    main = _function(tree, function, kind, add)
    guarded = {id(n) for t in ast.walk(tree) if isinstance(t, ast.Try) for b in t.body for n in ast.walk(b)}
    for node in ast.walk(tree):
        _imports(node, id(node) in guarded, add)
        _blocking(node, add)
        _stages(node, stages, add)
        if main is not None:
            _attributes(node, main, add)
    return sorted(found, key=lambda p: (p["line"], p["column"]))


def _function(tree, name, kind, add):
    want = _sources.ARGUMENTS[kind]
    functions = {n.name: n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))}
    main = functions.get(name)
    if main is None:
        if not any(isinstance(n, (ast.Assign, ast.Import, ast.ImportFrom, ast.If, ast.Try)) and name in _bound(n) for n in tree.body):
            add("error", f"function {name!r} is not defined at the top level (found: {', '.join(functions) or 'none'})")
        return None
    spelled = f"{name}({', '.join(want)}, **kwargs)"
    given = main.args
    names = [a.arg for a in given.posonlyargs + given.args]
    if len(names) < len(want) and given.vararg is None:
        add("error", f"{name} takes {len(names)} arguments, it must be {spelled}", main)
    extra = names[len(want):]
    defaults = len(given.defaults)
    for missing in [a for a in extra[:max(len(extra) - defaults, 0)] if a not in _sources.GIVEN]:
        add("error", f"nothing is given for the argument {missing!r}: it must be {spelled}", main)
    for have, documented in zip(names, want):
        if have != documented and have in want:
            add("warning", f"argument {have!r} stands where {documented!r} is given: arguments come by position, {spelled}", main)
    if given.kwarg is None:
        add("warning", f"{name} should accept **kwargs: new arguments are added over time", main)
    if kind != "agent_answer" and not _returns(main):
        add("warning", f"{name} never returns the contact", main)
    return main


def _bound(node):
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} | {
        (a.asname or a.name) for n in ast.walk(node) if isinstance(n, (ast.Import, ast.ImportFrom)) for a in n.names} | {
        n.name for n in ast.walk(node) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))}


def _returns(main):
    return any(isinstance(n, ast.Return) and n.value is not None for n in ast.walk(main))


def _imports(node, guarded, add):
    if guarded or not isinstance(node, (ast.Import, ast.ImportFrom)):
        return
    names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    for name in names:
        top = name.split(".")[0]
        if getattr(node, "level", 0) or top == "campaigns" or top in sys.stdlib_module_names:
            continue
        try:
            known = importlib.util.find_spec(top) is not None
        except (ImportError, ValueError):
            known = False
        if not known:
            add("error", f"module {name!r} is not available: strategies have the standard library", node)


def _blocking(node, add):
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
        if (node.func.value.id, node.func.attr) == ("time", "sleep"):
            add("warning", "time.sleep blocks the worker: use await asyncio.sleep(...)", node)


def _stages(node, stages, add):
    """Stage names in assignments and arguments."""
    if not stages:
        return
    said = []
    if isinstance(node, ast.Assign):
        if any(isinstance(t, ast.Attribute) and t.attr in ("current_stage", "stage_name") for t in node.targets):
            said.append(node.value)
    elif isinstance(node, ast.Call):
        said += [k.value for k in node.keywords if k.arg in ("stage_name", "current_stage")]
        called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        if called == "Communication" and len(node.args) > 1:
            said.append(node.args[1])
        elif called == "attempts" and node.args:
            said.append(node.args[0])
    for value in said:
        if isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value and value.value not in stages:
            near = difflib.get_close_matches(value.value, stages, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(stages)}"
            add("warning", f"there is no stage {value.value!r} ({hint})", value)


def _attributes(node, main, add):
    """contact.curent_stage, where contact is the function's first argument."""
    names = [a.arg for a in main.args.posonlyargs + main.args.args][:1]
    if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names):
        return
    if not main.lineno <= node.lineno <= (main.end_lineno or main.lineno):
        return
    known = _sources.public(campaigns.Contact)
    if node.attr not in known and not node.attr.startswith("_"):
        near = difflib.get_close_matches(node.attr, known, 1)
        hint = f". Did you mean {near[0]!r}?" if near else ""
        add("warning", f"a contact has no attribute {node.attr!r}{hint}", node)
