// Small helpers to make elements. Text is always set as text, never parsed as HTML.

const SVG = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

// element("p", { class: "soft" }, "text", child …); attributes that are null or false are left out.
export function element(tag, attributes = {}, ...children) {
  return build(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return build(document.createElementNS(SVG, tag), attributes, children);
}

function build(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

// Buttons of which one is pressed; returns what marks another one as chosen.
export function choice(parent, names, label, chosen, onChoose, role = "") {
  const buttons = names.map((name) => {
    const button = element("button", { type: "button", "data-name": name }, label(name));
    if (role) button.setAttribute("role", role);
    button.addEventListener("click", () => onChoose(name));
    return button;
  });
  const legend = parent.querySelector("legend");
  parent.replaceChildren(...(legend ? [legend] : []), ...buttons);
  const mark = (name) => buttons.forEach((button) => {
    const is = button.dataset.name === name;
    button.setAttribute(role ? "aria-selected" : "aria-pressed", is);
    if (role) button.tabIndex = is ? 0 : -1;
  });
  mark(chosen);
  if (role) moveByArrows(parent, buttons);
  return mark;
}

function moveByArrows(parent, buttons) {
  parent.onkeydown = (event) => {
    const rtl = getComputedStyle(parent).direction === "rtl";
    const step = { ArrowRight: rtl ? -1 : 1, ArrowLeft: rtl ? 1 : -1 }[event.key];
    if (!step) return;
    const at = buttons.indexOf(document.activeElement);
    const next = buttons[(at + step + buttons.length) % buttons.length];
    next.focus();
    next.click();
    event.preventDefault();
  };
}
