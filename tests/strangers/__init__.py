"""Answers by people who had not seen the bank of mistakes: the grader's second witness, a file for each chapter.

Each file has ANSWERS, {exercise: {"right": [(description, answer)], "wrong": [...]}}, and NAMED, {exercise: how many of
the wrong ones the bank names}.
"""

import importlib
import pathlib

from minillm import bank

HERE = pathlib.Path(__file__).parent
CHAPTERS = [chapter.__name__.rpartition(".")[-1] for chapter in bank.CHAPTERS]
FILES = {name: importlib.import_module(f"strangers.{name}") for name in CHAPTERS if (HERE / f"{name}.py").exists()}
ANSWERS = {name: sets for file in FILES.values() for name, sets in file.ANSWERS.items()}
NAMED = {name: number for file in FILES.values() for name, number in file.NAMED.items()}
