# SPDX-License-Identifier: MIT
"""Rows of a CSV file that a measure appends as they come, so that one that was interrupted goes on where it was."""
import csv


def append_row(path, columns, row):
    """Writes one row, with the head if it is the first; a column that it lacks is empty, others are left out."""
    fresh = not path.exists()
    with open(path, "a", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        if fresh:
            writer.writeheader()
        writer.writerow(row)
