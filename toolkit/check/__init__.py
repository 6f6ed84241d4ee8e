"""Check a build, a run or a records folder against the rules of its track, with evidence; nothing of it is executed."""

from toolkit.check.engine import check_path
from toolkit.check.rulebook.finding import Finding, Report

__all__ = ["Finding", "Report", "check_path"]
