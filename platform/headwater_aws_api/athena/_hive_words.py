"""Reading Hive's statements word by word. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater_aws_api.athena._sql import refused, words_of

if TYPE_CHECKING:
    from headwater_aws_api.athena._sql import Word

__all__ = ["Reader"]


class Reader:
    """A place in a statement, which goes on as words are taken.

    Args:
        sql: The statement.
        database: Of names that give none.
    """

    def __init__(self, sql: str, database: str) -> None:
        self.sql = sql
        self._words = [word for word in words_of(sql.strip().rstrip(";"), "hive") if word.upper != ";"]
        self.database = database
        self._at = 0

    @property
    def ended(self) -> bool:
        """Whether every word was taken."""
        return self._at >= len(self._words)

    def maybe(self, *wanted: str) -> bool:
        """Take some words if they are next; return whether they were."""
        words = " ".join(wanted).split()
        found = " ".join(word.upper for word in self._words[self._at : self._at + len(words)]).split()
        if found[: len(words)] != words:
            return False
        # A word of the language may be two, as in "PARTITIONED BY".
        taken = 0
        while taken < len(words):
            taken += len(self._words[self._at].upper.split())
            self._at += 1
        return True

    def must(self, *wanted: str) -> None:
        """Take some words.

        Raises:
            AwsError: Others are next.
        """
        if not self.maybe(*wanted):
            raise self.refusal(" ".join(wanted))

    def word(self) -> Word:
        """Take any word.

        Raises:
            AwsError: There is none.
        """
        if self.ended:
            raise self.refusal("more")
        self._at += 1
        return self._words[self._at - 1]

    def name(self) -> str:
        """Take a name of one part.

        Raises:
            AwsError: There is none.
        """
        word = self.word()
        if not word.name or word.kind == "STRING":
            raise self.refusal("a name", word)
        return word.text.lower()

    def table(self) -> tuple[str, str]:
        """Take a table's name; return its database and its own."""
        parts = [self.name()]
        while self.maybe("."):
            parts.append(self.name())
        return parts[-2] if len(parts) > 1 else self.database, parts[-1]

    def text(self) -> str:
        """Take a text in quotes.

        Raises:
            AwsError: There is none.
        """
        word = self.word()
        if word.kind != "STRING":
            raise self.refusal("a text in quotes", word)
        return word.text

    def pairs(self) -> dict[str, str]:
        """Take ``(name = value, ...)``; names may stand in quotes."""
        self.must("(")
        found = {}
        while not self.maybe(")"):
            name = self.word().text
            self.must("=")
            sign = "-" if self.maybe("-") else ""
            found[name] = sign + self.word().text
            self.maybe(",")
        return found

    def names(self) -> list[str]:
        """Take ``(name, ...)``."""
        self.must("(")
        found = []
        while not self.maybe(")"):
            found.append(self.name())
            self.maybe(",")
        return found

    def bracket(self) -> str:
        """Take what stands between brackets, as written."""
        self.must("(")
        begin, depth = self._words[self._at - 1].end, 1
        while depth:
            depth += {"(": 1, ")": -1}.get(self.word().upper, 0)
        return self.sql.strip()[begin : self._words[self._at - 1].begin]

    def rest(self) -> str:
        """Take all that is left, as written."""
        if self.ended:
            return ""
        begin, self._at = self._words[self._at].begin, len(self._words)
        return self.sql.strip()[begin:].rstrip(";").strip()

    def end(self) -> None:
        """Be sure that nothing is left.

        Raises:
            AwsError: Something is.
        """
        if not self.ended:
            raise self.refusal("the end")

    def refusal(self, wanted: str, found: Word | None = None) -> Exception:
        """Return the refusal of what stands here."""
        here = found.text if found else "the end" if self.ended else self._words[self._at].text
        return refused(f"FAILED: ParseException: {wanted} was expected, not {here!r}, in: {self.sql.strip()[:200]}")
