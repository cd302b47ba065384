// Exchanges the token in the address, which no server sees, for a cookie, and lists the workspaces.
"use strict";

async function start() {
  const state = document.getElementById("state");
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token !== null) {
    history.replaceState(null, "", location.pathname);
    await fetch("api/v1/session", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
  }
  const answer = await fetch("api/v1/workspaces");
  const found = await answer.json();
  state.textContent = answer.ok ? "Workspaces that are served:" : found.detail;
  for (const workspace of found.workspaces ?? []) {
    const link = document.createElement("a");
    link.href = `api/v1/workspaces/${encodeURIComponent(workspace.id)}/predictions/summary`;
    link.textContent = workspace.name;
    const item = document.createElement("li");
    item.append(link);
    document.getElementById("workspaces").append(item);
  }
}

start();
