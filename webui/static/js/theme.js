// The theme that was chosen, before anything is painted: where no server can write it into the page.
const chosen = document.cookie.match(/(?:^|; )theme=(light|dark)/)?.[1];
if (chosen) document.documentElement.dataset.theme = chosen;
