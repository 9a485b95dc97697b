"""The catalog's pages: HTML made here, with scripts of our own and libraries that `headwater fetch` brought.

Everything that is shown passes through templates that escape it, and no page asks anything outside the catalog.
"""

from headwater_catalog.pages._folder import Kept, keep_pages
from headwater_catalog.pages._forms import error_page
from headwater_catalog.pages._routes import page_routes
from headwater_catalog.pages._site import Site

__all__ = ["Kept", "Site", "error_page", "keep_pages", "page_routes"]
