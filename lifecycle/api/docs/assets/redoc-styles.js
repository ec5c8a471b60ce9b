"use strict";

// ReDoc writes its styles as rules into the sheet of an empty style element that it
// adds to the page. The page's policy allows no style element, not even an empty one,
// but it does allow scripts of this server to adopt sheets. So where ReDoc asks for a
// style element it gets an inert one whose sheet is adopted by the document. Loaded
// before ReDoc.
(function () {
  const create = document.createElement.bind(document);
  document.createElement = function (name, options) {
    if (String(name).toLowerCase() !== "style") {
      return create(name, options);
    }
    const sheet = new CSSStyleSheet();
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    const element = create("link");
    Object.defineProperty(element, "sheet", { value: sheet });
    return element;
  };
})();
