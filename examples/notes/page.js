// The one page, and what makes text safe in it.

export const escape = (text) =>
  String(text).replace(/[&<>"']/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' })[char])

const style = `
:root { color-scheme: light dark; --ink: #20242c; --paper: #f6f5f1; --card: #fff; --line: #d9d6cd; --accent: #8a3b12; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e9e6df; --paper: #17191d; --card: #20242a; --line: #383d45; --accent: #f0a376; }
}
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.6 system-ui, sans-serif }
main, footer { max-width: 44rem; margin: 0 auto; padding: 1.5rem 1.25rem }
h1 { font-size: 2rem; margin: 1rem 0 }
form, article { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.25rem; margin: 0 0 1rem }
label { display: block; font-weight: 600; margin-bottom: .25rem }
textarea, input { width: 100%; font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line);
  border-radius: 6px; padding: .5rem .75rem; margin-bottom: .75rem }
button { font: inherit; font-weight: 600; color: var(--card); background: var(--accent); border: 0; border-radius: 6px; padding: .6rem 1.25rem }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
img { display: block; max-width: 100%; border-radius: 6px; margin-top: .75rem }
article p { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 }
time, footer { font-size: .875rem; opacity: .75 }`

export const page = (notes, version) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Notes</title><style>${style}</style>
</head>
<body>
<main>
<h1>Notes</h1>
<form method="post" action="/notes" enctype="multipart/form-data">
<label for="text">A note</label><textarea id="text" name="text" rows="3" maxlength="2000" required></textarea>
<label for="picture">A picture, if you like (PNG, JPEG, GIF or WebP, up to 5 MB)</label>
<input id="picture" name="picture" type="file" accept="image/png,image/jpeg,image/gif,image/webp">
<button>Add it</button>
</form>
${notes.map(article).join('\n') || '<p>No notes yet: write the first.</p>'}
</main>
<footer>Version ${escape(version)}</footer>
</body>
</html>
`

const article = ({ id, text, picture, at }) => `<article>
<p>${escape(text)}</p>${picture ? `<img src="/uploads/${escape(picture)}" alt="Picture of note ${id}" loading="lazy">` : ''}
<time datetime="${at.toISOString()}">${escape(at.toUTCString())}</time>
</article>`
