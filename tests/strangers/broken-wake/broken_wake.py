"""A plugin whose dependency went away."""

import a_package_that_is_gone  # noqa: F401
