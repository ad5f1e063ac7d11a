"""Text -> syntax tree: sqlglot's Snowflake parser, kept from rewriting what was written.

sqlglot turns ``NVL(a, b)`` into COALESCE, ``DATEADD`` into its own node and so on, which suits a translator between
many dialects. Here each function must stay as written: its Snowflake name decides its result's name, type and errors.
So the parser's table of functions is emptied: every call becomes ``exp.Anonymous`` with its name and arguments, save
the few whose arguments are not expressions (CAST, TRY_CAST, EXTRACT, POSITION).
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from sqlglot import exp
from sqlglot.dialects.snowflake import Snowflake
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.snowflake import SnowflakeParser
from sqlglot.tokens import Token, TokenType

from polynya.dialect import type_syntax
from polynya.dialect.tokens import tokenize
from polynya.errors import SnowflakeError, compilation_error, syntax_error

# The compiled parser cannot be subclassed; its class-level tables are ours alone in this process.
SnowflakeParser.FUNCTIONS.clear()
for _name in set(SnowflakeParser.FUNCTION_PARSERS) - {"CAST", "TRY_CAST", "EXTRACT", "POSITION"}:
    del SnowflakeParser.FUNCTION_PARSERS[_name]
SnowflakeParser.NO_PAREN_FUNCTION_PARSERS.pop("IF", None)

_DIALECT = Snowflake()
_CACHE_ENTRIES = 2000
_CACHE_TEXT = 20_000  # characters; longer statements are rarely sent twice
_MAX_NESTING = 1500  # parentheses; a query nested deeper is refused, as Snowflake does at some depth


class _Cache:
    """The syntax trees of the last texts parsed; trees are never changed after parsing."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, exp.Expr] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, text: str) -> exp.Expr | None:
        with self._lock:
            tree = self._entries.get(text)
            if tree is not None:
                self._entries.move_to_end(text)
            return tree

    def put(self, text: str, tree: exp.Expr) -> None:
        if len(text) > _CACHE_TEXT:
            return
        with self._lock:
            self._entries[text] = tree
            if len(self._entries) > _CACHE_ENTRIES:
                self._entries.popitem(last=False)


_cache = _Cache()


def parse(text: str) -> exp.Expr:
    """The syntax tree of one query or DML statement.

    Args:
        text: one statement in Snowflake's dialect.

    Returns:
        A tree that is shared: read it, never change it. Each unnamed item of a SELECT list carries ``meta["name"]``,
        the column name that Snowflake gives it.

    Raises:
        SnowflakeError: 001003 with line and position.
    """
    tree = _cache.get(text)
    if tree is None:
        tree = _parse(text)
        _cache.put(text, tree)
    return tree


def parse_expression(text: str) -> exp.Expr:
    """The syntax tree of one expression (a default, a variable's value).

    Raises:
        SnowflakeError: 001003.
    """
    select = parse(f"SELECT {text}")
    if not isinstance(select, exp.Select) or len(select.expressions) != 1 or select.args.get("from_"):
        raise syntax_error(text, 1, 0)
    return select.expressions[0]


def _parse(text: str) -> exp.Expr:
    tokens = tokenize(text)
    _check_nesting(tokens)
    try:
        trees = _DIALECT.parser().parse(type_syntax.readable(tokens), text)
    except ParseError as error:
        raise _translate(error, tokens) from None
    except TokenError as error:
        raise syntax_error(str(error), 1, 0) from None
    found = [tree for tree in trees if tree is not None]
    if not found:
        raise compilation_error(900, "42601", "Empty SQL statement.")
    if len(found) > 1:
        semicolon = next(token for token in tokens if token.token_type == TokenType.SEMICOLON)
        following = tokens[tokens.index(semicolon) + 1]
        raise syntax_error(following.text, following.line, following.col - len(following.text))
    if "IDENTIFIER" in text.upper():
        _mark_identifiers(found[0])
    _name_items(found[0], text, tokens)
    _number_placeholders(found[0])
    _check_aliases(found[0])
    return found[0]


def _mark_identifiers(tree: exp.Expr) -> None:
    """``IDENTIFIER(...)`` is a name, not a function."""
    for call in list(tree.find_all(exp.Anonymous)):
        if str(call.this).upper() == "IDENTIFIER" and len(call.expressions) == 1 and call.parent is not None:
            name = exp.DynamicIdentifier(this=call.expressions[0])
            name.meta.update(call.meta)
            call.replace(name)


def _check_aliases(tree: exp.Expr) -> None:
    """Refuses ``f(a AS b)`` and ``(a AS b)``, which sqlglot lets pass."""
    for alias in tree.find_all(exp.Alias):
        if isinstance(alias.parent, exp.Anonymous | exp.Paren):
            meta = alias.this.meta
            raise syntax_error("AS", meta.get("line", 1), meta.get("col", 0) + 1)


def _number_placeholders(tree: exp.Expr) -> None:
    """Gives each ``?`` its place in the statement, from 1, in ``meta["index"]``."""
    index = 0
    stack: list[exp.Expr] = [tree]
    while stack:
        current = stack.pop()
        if isinstance(current, exp.Placeholder) and not current.this:
            index += 1
            current.meta["index"] = index
        stack.extend(reversed(_children_in_order(current)))


def _check_nesting(tokens: list[Token]) -> None:
    depth = deepest = 0
    for token in tokens:
        if token.token_type == TokenType.L_PAREN:
            depth += 1
            deepest = max(deepest, depth)
        elif token.token_type == TokenType.R_PAREN:
            depth -= 1
    if deepest > _MAX_NESTING:
        raise SnowflakeError(
            1002,
            "42601",
            f"SQL compilation error:\nstatement nested {deepest} levels deep; at most {_MAX_NESTING} are allowed.",
        )


def _translate(error: ParseError, tokens: list[Token]) -> SnowflakeError:
    """sqlglot's error as Snowflake words it: the token that was not expected and where it begins."""
    details = error.errors[0] if error.errors else {}
    line, column = details.get("line") or 1, details.get("col") or 0
    highlight = details.get("highlight") or ""
    for index, token in enumerate(tokens):
        if token.line == line and token.col == column:
            return error_at(_misplaced_alias(tokens, index) or token)
    return syntax_error(highlight or "<EOF>", line, column)


def error_at(token: Token) -> SnowflakeError:
    """001003: the token was not expected."""
    return syntax_error(token.text, token.line, max(token.col - len(token.text), 0))


def _misplaced_alias(tokens: list[Token], index: int) -> Token | None:
    """The AS that sqlglot took inside parentheses, ``(a AS b + 1)``, before it stopped at a token behind it."""
    if index < 2 or tokens[index - 2].token_type != TokenType.ALIAS:
        return None
    depth = 0
    for position in range(index - 3, -1, -1):
        kind = tokens[position].token_type
        depth += (kind in _CLOSING) - (kind in _OPENING)
        if depth < 0:
            before = tokens[position - 1].text.upper() if position else ""
            inside = tokens[position + 1].token_type
            if before in ("CAST", "TRY_CAST") or inside in (TokenType.SELECT, TokenType.WITH):
                return None
            return tokens[index - 2]
    return None


# --- names of unnamed select items ------------------------------------------------------------------------------------


def _name_items(tree: exp.Expr, text: str, tokens: list[Token]) -> None:
    """Gives each select item its source text as a name: ``sum(a)`` is named ``SUM(A)``.

    The tree does not say where an item began, so select lists are found in the tokens, in source order, and matched
    with the SELECT nodes in the order of their first position. A statement where the two do not match keeps names
    made from the tree.
    """
    selects = list(_selects_in_order(tree))
    lists = _select_lists(tokens)
    if len(selects) != len(lists):
        return
    for select, items in zip(selects, lists, strict=True):
        expressions = select.expressions
        if len(expressions) != len(items):
            continue
        for expression, (first, last) in zip(expressions, items, strict=True):
            if not isinstance(expression, (exp.Alias, exp.Column, exp.Star)):
                expression.meta["name"] = _source_name(text, tokens, first, last)


def _selects_in_order(node: exp.Expr) -> list[exp.Select]:
    """SELECT nodes in the order in which their SELECT keywords stand in the text."""
    found: list[exp.Select] = []
    stack: list[tuple[exp.Expr, bool]] = [(node, False)]
    while stack:
        current, after_with = stack.pop()
        children = _children_in_order(current)
        if isinstance(current, exp.Select):
            ctes = current.args.get("with_")
            if ctes is not None and not after_with:
                stack += [(current, True), (ctes, False)]  # WITH stands before its SELECT
                continue
            found.append(current)
            children = [child for child in children if child is not ctes]
        stack.extend((child, False) for child in reversed(children))
    return found


_CLAUSES = ("with_", "expressions", "into", "from_", "joins", "laterals", "where", "connect", "group", "having",
            "qualify", "windows", "order", "limit", "offset")  # fmt: skip


def _children_in_order(node: exp.Expr) -> list[exp.Expr]:
    args = node.args
    if isinstance(node, exp.Select):
        keys = [*_CLAUSES, *(key for key in args if key not in _CLAUSES)]
    elif "with_" in args:
        keys = ["with_", *(key for key in args if key != "with_")]
    else:
        keys = list(args)
    children: list[exp.Expr] = []
    for key in keys:
        value = args.get(key)
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, exp.Expr):
                children.append(item)
    if isinstance(node, exp.CTE):
        children.reverse()  # alias (with column names) comes first in the text; it holds no SELECT
    return children


_LIST_END = {"FROM", "WHERE", "GROUP", "HAVING", "QUALIFY", "ORDER", "LIMIT", "UNION", "INTERSECT", "EXCEPT", "MINUS",
             "INTO", "FETCH", "OFFSET", "CONNECT", "START", "WINDOW"}  # fmt: skip
_AFTER_SELECT = {"DISTINCT", "ALL"}


def _select_lists(tokens: list[Token]) -> list[list[tuple[int, int]]]:
    """For each SELECT keyword, the (first, last) token numbers of its items."""
    lists: list[list[tuple[int, int]]] = []
    open_lists: list[dict] = []  # a stack: lists whose end has not been reached
    depth = 0
    for index, token in enumerate(tokens):
        kind = token.token_type
        if kind == TokenType.SELECT:
            entry: dict = {"depth": depth, "items": [], "start": index + 1}
            lists.append(entry["items"])
            open_lists.append(entry)
            continue
        if kind in _OPENING:
            depth += 1
            continue
        closes = kind in _CLOSING
        if open_lists and open_lists[-1]["depth"] == depth:
            entry = open_lists[-1]
            start = entry["start"]
            if index == start and token.text.upper() in _AFTER_SELECT and kind != TokenType.IDENTIFIER:
                entry["start"] = index + 1
            elif closes or kind == TokenType.SEMICOLON or (
                kind not in (TokenType.IDENTIFIER, TokenType.STRING) and token.text.upper().split(" ")[0] in _LIST_END and index > start
                and not (token.text.upper() in ("START", "WINDOW", "OFFSET") and kind == TokenType.VAR)
                and not (token.text.upper() == "GROUP" and tokens[index - 1].text.upper() == "WITHIN")
            ):  # fmt: skip
                if index > start:
                    entry["items"].append((start, index - 1))
                open_lists.pop()
            elif kind == TokenType.COMMA:
                entry["items"].append((start, index - 1))
                entry["start"] = index + 1
        if closes:
            depth -= 1
    for entry in reversed(open_lists):
        if entry["start"] < len(tokens):
            entry["items"].append((entry["start"], len(tokens) - 1))
    return lists


_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}


def _source_name(text: str, tokens: list[Token], first: int, last: int) -> str:
    """The text of tokens ``first`` to ``last`` in upper case, quoted parts and blanks included, without comments."""
    parts: list[str] = []
    previous_end = None
    for token in tokens[first : last + 1]:
        if previous_end is not None and token.start > previous_end:
            between = text[previous_end : token.start]
            parts.append(between if between.isspace() else " ")
        parts.append(text[token.start : token.end + 1].upper())
        previous_end = token.end + 1
    return "".join(parts)
