export { default as DOMPurify } from "dompurify";
export { Lexer, Marked } from "marked";
export type { Token, Tokens, TokensList } from "marked";
