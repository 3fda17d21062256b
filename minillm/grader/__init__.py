"""The inside of the grader: how an answer is run, watched, judged and named.  Its face is grading.py."""
