// Opened from a folder, without a server, a page may not fetch the others for a summary of what was found: the titles do.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
