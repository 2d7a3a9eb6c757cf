"""Names the command that was probably meant by a command line that click, or the configuration, refuses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from gettext import ngettext
from itertools import combinations
from pathlib import Path

import click

from pipeline.cli.context import OVERRIDES, Session

# what people type for a command of another name
SYNONYMS: Mapping[str, str] = {
    "backup": "ledger backup",
    "config get": "config show",
    "config list": "config show",
    "config check": "doctor",
    "configure": "init",
    "create": "run",
    "debug": "doctor",
    "diagnose": "doctor",
    "dry-run": "check",
    "find": "explain",
    "import": "run",
    "info": "status",
    "list": "export",
    "ls": "export",
    "new": "init",
    "plan": "check",
    "preview": "check",
    "restore": "ledger restore",
    "seals": "export",
    "search": "explain",
    "setup": "init",
    "show": "status",
    "start": "run",
    "sync": "run",
    "test": "check",
    "undo": "export",
    "revoke": "export",
    "cancel": "export",
    "login": "doctor",
    "logout": "doctor",
    "auth": "doctor",
    "upload": "run",
    "validate": "doctor",
    "verify": "ledger check",
    "version": "--version",
}
# what the program does not do at all: the sentence about it, and the one before the next command
EXPLAINED: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("undo", "revoke", "cancel"), ("no_undo", "next_seals")),
    **dict.fromkeys(("login", "logout", "auth"), ("no_login", "next_examine")),
}
DRY_RUN = frozenset({"--dry-run", "--dryrun", "--simulate"})  # what people type for `check`
RUN_ID = re.compile(r"\d{8}-\d{6}-\d{3}")
NEAR_OPTION = 0.8  # likeness of two options, one of which is probably a misspelt other
# the option that a word without a place belongs to, by its shape
OPTIONS_OF_EXTRA_WORDS: Sequence[tuple[re.Pattern[str], str]] = (
    (RUN_ID, "--run"),
    (re.compile(r".+\.ya?ml"), "--config"),
    (re.compile(r".+\.(?:xlsx|csv|json)"), "--out"),
    (re.compile(r"\d+"), "--limit"),
    (re.compile(r"\d+"), "--rows"),
    (re.compile(r"\d+"), "--port"),
    (re.compile(r"\d+"), "--keep"),
    (re.compile(r".+"), "--person"),
)
# what people type for a choice of another name
CHOICES_MEANT: Mapping[str, str] = {
    "cn": "zh",
    "chinese": "zh",
    "live": "production",
    "staging": "test",
    "crontab": "cron",
    "timer": "systemd",
    "task": "windows",
    "pwsh": "powershell",
}


def suggest_meant_command(session: Session, error: click.ClickException) -> bool:
    """Print the command that a wrong word probably stands for; return whether there is one."""
    match error:
        case click.exceptions.NoSuchCommand(ctx=click.Context(command=group, parent=parent)) if (
            typed := error.command_name if parent is None else f"{group.name} {error.command_name}"
        ) in SYNONYMS:
            if typed in EXPLAINED:
                sentence, introduction = EXPLAINED[typed]
                session.inform(sentence)
            else:
                introduction = "next_perhaps"
            session.suggest_command(introduction, *SYNONYMS[typed].split())
        case click.exceptions.NoSuchCommand() if error.possibilities and len(error.possibilities) == 1:
            return suggest_spelling(session, error.command_name, *error.possibilities)
        case click.exceptions.NoSuchOption() if error.option_name in DRY_RUN:
            session.suggest_command("next_check", "check")
        case click.exceptions.NoSuchOption():
            return _suggest_meant_option(session, error)
        case click.MissingParameter(param=click.Argument(type=click.Choice(choices=choices))):
            session.suggest_words("next_perhaps", [*session.arguments, _get_usual_choice(choices)])
        case click.BadParameter(param=click.Parameter(type=click.Choice()) as parameter):
            return _suggest_choice(session, error.message, parameter)
        case click.UsageError(ctx=click.Context() as context):
            return _suggest_without_extra_words(session, context.command, error.message)
        case _:
            return False
    return True


def _suggest_meant_option(session: Session, error: click.exceptions.NoSuchOption) -> bool:
    """Print the command again without an option that is the name of an argument, or with the one that was meant."""
    parameters = error.ctx.command.params if error.ctx else ()
    arguments = [parameter.name or "" for parameter in parameters if isinstance(parameter, click.Argument)]
    name = error.option_name.removeprefix("--").removesuffix("s")
    if name in {argument.removesuffix("s") for argument in arguments}:
        return suggest_spelling(session, error.option_name, "")  # --roster of [ROSTER]...
    options = _list_options(error.ctx.command) if error.ctx else ()
    value = _get_option_value(session.arguments, error.option_name)
    if value and f"--{value}" in options:  # --format csv of --csv
        words = _leave_out(session.arguments, error.option_name, value)
        return session.suggest_words("next_perhaps", [*words, f"--{value}"])
    near: Sequence[str] = error.possibilities or ()
    is_certain = len(near) == 1 and near[0] not in OVERRIDES
    return is_certain and suggest_spelling(session, error.option_name, near[0])


def _suggest_choice(session: Session, message: str, parameter: click.Parameter) -> bool:
    """Print the command again with the choice that was meant by the value which click's message quotes.

    Where no choice is like it, the command has the usual one, or is without the option.
    """
    assert isinstance(parameter.type, click.Choice)
    choices = list(map(str, parameter.type.choices))
    for value in {word.rpartition("=")[2] for word in session.arguments}:
        if value in choices or repr(value) not in message:
            continue
        meant = _get_meant_choice(value.lower(), choices)
        if meant is not None:
            return suggest_spelling(session, value, meant)
        if isinstance(parameter, click.Argument):
            return suggest_spelling(session, value, _get_usual_choice(choices), "next_perhaps")
        words = session.arguments
        for option in parameter.opts:
            words = _leave_out(words, option, value)
        return words != session.arguments and session.suggest_words("next_perhaps", words)
    return False


def _get_usual_choice(choices: Sequence[str]) -> str:
    """Return the first choice."""
    return str(choices[0])


def _get_meant_choice(value: str, choices: Sequence[str]) -> str | None:
    """Return the choice that a value is another name of, the begin of, or nearly."""
    if CHOICES_MEANT.get(value) in choices:
        return CHOICES_MEANT[value]
    longer = [
        choice for choice in choices if value and (choice.startswith(value) or value.startswith(choice))
    ]
    return next(iter(longer or get_close_matches(value, choices, n=1)), None)


def _suggest_without_extra_words(session: Session, command: click.Command, message: str) -> bool:
    """Print the command again without the words that have no place in it, or with the option of such a word."""
    positions = _list_extra_positions(session.arguments, message)
    if not positions:
        return False
    words = list(session.arguments)
    first = words[positions[0]]
    free = _list_options(command) - set(words)
    option = next(
        (name for shape, name in OPTIONS_OF_EXTRA_WORDS if name in free and shape.fullmatch(first)), None
    )
    if len(positions) == 1 and option is not None:
        words.insert(positions[0], option)
    else:
        words = [word for number, word in enumerate(words) if number not in positions]
    return session.suggest_words("next_perhaps", words)


def _list_extra_positions(arguments: Sequence[str], message: str) -> list[int]:
    """Return where in the command line the arguments are that click's message calls too many."""
    for number in (1, 2):
        before, _, after = ngettext(
            "Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})", number
        ).partition("{args}")
        if message.startswith(before) and message.endswith(after):
            rest = message.removeprefix(before).removesuffix(after)
            break
    else:
        return []
    positions: list[int] = []
    for position in reversed(range(len(arguments))):
        word = arguments[position]
        if rest == word or (word and rest.endswith(f" {word}")):
            positions.insert(0, position)
            rest = rest.removesuffix(word).removesuffix(" ")
    return positions if not rest else []


def suggest_without_hospital(session: Session) -> bool:
    """Print the command again without the options that choose hospitals; False where it has none."""
    words = _leave_out(session.arguments, "--all")
    while "--profile" in words or any(word.startswith("--profile=") for word in words):
        words = _leave_out(words, "--profile", _get_option_value(words, "--profile") or "")
    return words != session.arguments and session.suggest_words("next_meant", words)


def _get_option_value(words: Sequence[str], option: str) -> str | None:
    """Return the value that an option has on a command line: the rest of its word, or the next word."""
    for word, after in zip(words, [*words[1:], None], strict=True):
        if word == option:
            return after
        if word.startswith(f"{option}="):
            return word.removeprefix(f"{option}=")
    return None


def _leave_out(words: Sequence[str], option: str, value: str | None = None) -> tuple[str, ...]:
    """Return the words of a command line without an option, and without its value where one is given."""
    kept: list[str] = []
    is_value = False
    for word, after in zip(words, [*words[1:], None], strict=True):
        if is_value:
            is_value = False
        elif word == option and value in {None, "", after}:
            is_value = bool(value)
        elif word != f"{option}={value}":
            kept.append(word)
    return tuple(kept)


def _list_options(command: click.Command) -> set[str]:
    """Return the options of a command as they are typed."""
    return {option for parameter in command.params for option in parameter.opts}


def add_near_commands(error: click.exceptions.NoSuchCommand) -> click.exceptions.NoSuchCommand:
    """Return the error with the commands whose names are nearly the one that was typed."""
    group = error.ctx.command if error.ctx else None
    names = list(group.commands) if isinstance(group, click.Group) else []
    near = get_close_matches(error.command_name, names)
    longer = [name for name in names if name.startswith(error.command_name) and name not in near]
    return click.exceptions.NoSuchCommand(error.command_name, possibilities=near + longer, ctx=error.ctx)


def keep_near_options(error: click.exceptions.NoSuchOption) -> click.exceptions.NoSuchOption:
    """Return the error with the options that are nearly the one that was typed; click lists any that share some letters."""
    near = get_close_matches(error.option_name, error.possibilities or (), cutoff=NEAR_OPTION)
    return click.exceptions.NoSuchOption(error.option_name, possibilities=near, ctx=error.ctx)


def suggest_spelling(session: Session, typed: str, meant: str, key: str = "next_meant") -> bool:
    """Print the command again with the word that was probably meant, or without the word; False where it may not be shown."""
    # an option and its value may be one word: --limt=5
    pattern = re.compile(rf"(?<![^=]){re.escape(typed)}(?=$|=)")
    arguments = [pattern.sub(lambda _: meant, word) for word in session.arguments]
    if not meant:
        arguments = [word.removeprefix("=") for word in arguments if word]
    return tuple(arguments) != session.arguments and session.suggest_words(key, arguments)


def suggest_quotes(session: Session) -> bool:
    """Print the command with quotes around words that are together the path of a file; False where none are."""
    words = session.arguments
    for first, after in combinations(range(len(words) + 1), 2):
        path = " ".join(words[first:after])
        if after - first > 1 and Path(path).exists():
            return session.suggest_words("next_quoted", [*words[:first], path, *words[after:]])
    return False
