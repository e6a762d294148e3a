"""The steps of one case, wired by LangGraph."""
