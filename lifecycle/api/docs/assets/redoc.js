"use strict";

// The search index would run in a worker made from a blob, which the page's policy
// does not allow; fonts are the reader's own, so none is fetched.
Redoc.init(
  "openapi.json",
  {
    disableSearch: true,
    nativeScrollbars: true,
    theme: {
      typography: {
        fontFamily: "system-ui, sans-serif",
        headings: { fontFamily: "system-ui, sans-serif" },
        code: { fontFamily: "ui-monospace, monospace" },
      },
    },
  },
  document.getElementById("redoc-ui"),
);
