// All that the browser runs: fresh parts of the page as the server sends them, and buttons that copy.

const connection = document.getElementById("connection");
const eventsPath = document.body.dataset.events;

function say(text) {
  if (connection && connection.textContent !== text) connection.textContent = text;
}

/** The server has escaped every text in `html`, and the page's policy runs no script in it. */
function replaceSection({ id, html }) {
  const section = document.getElementById(id);
  if (!section?.hasAttribute("data-live")) return;
  const focused = section.contains(document.activeElement) ? document.activeElement : undefined;
  section.innerHTML = html;
  if (!focused) return;
  const same = [...section.querySelectorAll("a[href], button")].find((element) =>
    element.getAttribute("href") === focused.getAttribute("href") &&
    element.textContent === focused.textContent
  );
  same?.focus({ preventScroll: true });
}

function follow(path) {
  const source = new EventSource(path);
  source.addEventListener("open", () => say("Live"));
  source.addEventListener("section", ({ data }) => replaceSection(JSON.parse(data)));
  source.addEventListener("end", ({ data }) => {
    source.close();
    say(data);
  });
  source.addEventListener("error", () => {
    const isOver = source.readyState === EventSource.CLOSED;
    say(isOver ? "No longer live: reload the page." : "Connection lost, trying again…");
  });
}

async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = "Copied";
}

if (eventsPath) follow(eventsPath);
if (navigator.clipboard) {
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}
