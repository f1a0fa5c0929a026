"""The routes for administrators."""
