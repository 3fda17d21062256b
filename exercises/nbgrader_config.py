"""nbgrader's configuration for a class: copy it into the folder of your course.  TEACHING.md says what to do then."""

import os

from nbgrader.preprocessors import CheckCellMetadata, ClearOutput, OverwriteCells, OverwriteKernelspec


class EachGradeCellOnce(OverwriteCells):
    """A grade cell that was copied counts once; one that was deleted comes back at the end, where all is defined.

    nbgrader 0.9.6 by itself refuses a whole submission in which a cell was copied (its issue 1083), and puts a deleted
    cell back at the top, where no answer is defined yet.
    """

    def preprocess(self, nb, resources):
        seen = set()
        for cell in reversed(nb.cells):
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
            if grade_id in seen:
                del cell.metadata["nbgrader"]
            elif grade_id:
                seen.add(grade_id)
        return super().preprocess(nb, resources)

    def add_missing_grade_cells(self, nb, resources):
        there = {cell.metadata.get("nbgrader", {}).get("grade_id") for cell in nb.cells}
        released = self.gradebook.find_notebook(self.notebook_id, self.assignment_id)
        sources = {cell.name: cell for cell in released.source_cells}
        for cell in released.grade_cells:
            if cell.name not in there:
                again = self.missing_cell_transform(sources[cell.name], cell.max_score)
                if nb.nbformat_minor >= 5:
                    again["id"] = f"{cell.name}-again"
                nb.cells.append(again)
        return nb, resources


os.environ["MINILLM_CLASS"] = "1"  # class mode, in the kernels that nbgrader starts

c = get_config()  # noqa: F821  (nbgrader defines it)
c.CourseDirectory.course_id = "minillm"
c.Autograde.sanitize_preprocessors = [ClearOutput, EachGradeCellOnce, OverwriteKernelspec, CheckCellMetadata]
c.EachGradeCellOnce.add_missing_cells = True
c.Execute.skip_cells_with_tag = "skip-grading"  # the cells that train
c.Execute.timeout = 60  # seconds for each cell
