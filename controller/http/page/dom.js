/**
 * An element. Text always becomes a text node, so nothing that stands in a record can become markup.
 * @param {string} tag
 * @param {Record<string, unknown>} attributes `class`, `title`, ...; functions are listeners (`onclick`), `undefined` and `false` are left out
 * @param {...(Node | string | number | undefined | null | false)} children
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false || value === null) continue
    if (typeof value === 'function') element.addEventListener(name.slice(2), value)
    else element.setAttribute(name, value === true ? '' : String(value))
  }
  element.append(...present(children))
  return element
}

const present = (children) =>
  children.flat().filter((child) => child !== undefined && child !== null && child !== false && child !== '')

/**
 * A part of the page that is only built anew when what it shows has changed: a selection, an open menu or a picture that is
 * loading survives every refresh in between.
 */
export function part(tag, attributes, build) {
  const element = h(tag, attributes)
  let shown
  return {
    element,
    show(data) {
      const key = data === undefined ? 'nothing' : JSON.stringify(data)
      if (key === shown) return
      shown = key
      element.replaceChildren(...present([build(data)]))
    },
  }
}

/** Children by key: those that stay, stay the same elements; those that changed are replaced, in the order of `items`. */
export function keyed(element, keyOf, build) {
  let rows = new Map()
  return {
    element,
    show(items) {
      const next = new Map()
      for (const item of items) {
        const key = keyOf(item)
        const text = JSON.stringify(item)
        const row = rows.get(key)
        next.set(key, row?.text === text ? row : { text, node: build(item) })
      }
      const nodes = [...next.values()].map(({ node }) => node)
      if (nodes.length !== element.children.length || nodes.some((node, at) => node !== element.children[at]))
        element.replaceChildren(...nodes)
      rows = next
    },
  }
}
