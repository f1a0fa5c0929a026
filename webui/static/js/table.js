// Tables whose columns sort, over all rows there are.
import { html, useState } from "./core.js";

/** @template R @typedef {{ id: string, name: string, numeric?: boolean, value: (row: R) => string | number | null, cell?: (row: R) => any }} Column
 * a null value sorts last, whichever the direction */
/** @typedef {{ id: string, direction: "ascending" | "descending" }} Order */

/** @template R @param {R[]} rows @param {Column<R>} column @param {Order["direction"]} direction @returns {R[]} */
export function sorted(rows, column, direction) {
  const sign = direction === "ascending" ? 1 : -1;
  return rows.toSorted((one, other) => compare(column.value(one), column.value(other), sign));
}

/** @param {string | number | null} one @param {string | number | null} other @param {number} sign */
function compare(one, other, sign) {
  if (one === null || other === null) return Number(one === null) - Number(other === null);
  if (typeof one === "number" && typeof other === "number") return sign * (one - other);
  return sign * String(one).localeCompare(String(other), "en", { numeric: true, sensitivity: "base" });
}

/** The order after a click: a new column begins with its largest figure or its first name. @param {Order} order @param {Column<any>} column @returns {Order} */
export function nextOrder(order, column) {
  if (order.id !== column.id) return { id: column.id, direction: column.numeric ? "descending" : "ascending" };
  return { id: column.id, direction: order.direction === "ascending" ? "descending" : "ascending" };
}

/** `asCards`: on narrow screens each row is a card; `most`: rows that are shown. A column without a name does not sort.
 * @param {{ label: string, columns: Column<any>[], rows: any[], keyOf: (row: any) => string, first: Order, foot?: any, asCards?: boolean | "compact", most?: number }} props */
export function SortedTable({ label, columns, rows, keyOf, first, foot, asCards, most }) {
  const [order, setOrder] = useState(first);
  const by = columns.find((column) => column.id === order.id) ?? columns[0];
  return html`<div class="table-scroll" role="region" tabindex="0" aria-label=${`${label}: table`}>
    <table class=${`data ${asCards ? "rows" : ""} ${asCards === "compact" ? "compact" : ""}`} role="table" aria-label=${label}>
      <thead role="rowgroup"><tr role="row">${columns.map((column) => html`<${Head} key=${column.id} column=${column} order=${order} setOrder=${setOrder} />`)}</tr></thead>
      <tbody role="rowgroup">${sorted(rows, by, order.direction)
        .slice(0, most)
        .map(
          (row) =>
            html`<tr role="row" key=${keyOf(row)}>${columns.map((column, index) => {
              const inside = column.cell ? column.cell(row) : column.value(row);
              return index === 0
                ? html`<th scope="row" role="rowheader" key=${column.id}>${inside}</th>`
                : html`<td role="cell" key=${column.id} class=${column.numeric ? "num" : null} data-head=${column.name} data-column=${column.id} data-value=${column.value(row)}>${inside}</td>`;
            })}</tr>`,
        )}</tbody>
      ${foot}
    </table>
  </div>`;
}

/** @param {{ column: Column<any>, order: Order, setOrder: (order: Order) => void }} props */
function Head({ column, order, setOrder }) {
  const { id, name, numeric } = column;
  if (!name) return html`<th role="columnheader" scope="col"><span class="sr">Actions</span></th>`;
  return html`<th role="columnheader" scope="col" class=${numeric ? "num" : null} aria-sort=${id === order.id ? order.direction : "none"}>
    <button class="sort" type="button" onClick=${() => setOrder(nextOrder(order, column))}>${name}<span class="arrow" aria-hidden="true">${arrow(column, order)}</span></button>
  </th>`;
}

/** @param {Column<any>} column @param {Order} order */
function arrow(column, order) {
  if (column.id !== order.id) return "";
  return order.direction === "ascending" ? "↑" : "↓";
}
