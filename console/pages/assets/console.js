// The console works without this script. It adds live figures, a search while you type, and buttons that copy.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
	if (!navigator.clipboard) break; // not over plain HTTP, except on localhost
	const label = button.innerHTML;
	button.hidden = false;
	button.addEventListener("click", async () => {
		const source = document.getElementById(button.dataset.copy);
		try {
			await navigator.clipboard.writeText(source.value ?? source.textContent);
			button.textContent = "Copied";
		} catch {
			button.textContent = "Not copied: select it instead";
		}
		setTimeout(() => { button.innerHTML = label; }, 2000);
	});
}

// A form is sent once, and says that it is being worked on.
for (const form of document.querySelectorAll("form[method=post]")) {
	form.addEventListener("submit", (event) => {
		if (form.dataset.sent) {
			event.preventDefault();
			return;
		}
		form.dataset.sent = "yes";
		const button = form.querySelector("button");
		button.setAttribute("aria-busy", "true");
		button.textContent += " …";
	});
}
addEventListener("pageshow", (event) => {
	if (event.persisted) location.reload();
});

const search = document.querySelector("form[data-search]");
if (search) {
	let timer, latest;
	const show = async () => {
		const address = search.action + "?" + new URLSearchParams(new FormData(search));
		const results = document.getElementById("results");
		latest?.abort();
		latest = new AbortController();
		results.setAttribute("aria-busy", "true");
		try {
			const answer = await fetch(address, { signal: latest.signal });
			if (answer.status === 401) {
				location.reload(); // the session has ended
				return;
			}
			const found = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("results");
			if (!answer.ok || !found) throw new Error("no results");
			results.innerHTML = found.innerHTML;
			history.replaceState(null, "", address);
		} catch (failure) {
			if (failure.name === "AbortError") return;
			results.innerHTML = '<p class="alert" role="alert">The search does not work at the moment. Try again soon.</p>';
		}
		results.removeAttribute("aria-busy");
	};
	search.addEventListener("input", () => {
		clearTimeout(timer);
		timer = setTimeout(show, 200);
	});
	search.addEventListener("submit", (event) => {
		event.preventDefault();
		clearTimeout(timer);
		show();
	});
}

const state = document.querySelector("[data-live]");
if (state) {
	const stream = new EventSource("/live");
	const say = (text) => {
		if (state.textContent !== text) state.textContent = text;
	};
	for (const part of ["figures", "charts"]) {
		stream.addEventListener(part, (event) => {
			const old = document.getElementById(part);
			say("Live");
			// What somebody reads with the keyboard stays as it is.
			if (old.contains(document.activeElement) || old.querySelector("details[open]")) return;
			old.innerHTML = event.data;
		});
	}
	stream.addEventListener("ended", () => {
		stream.close();
		location.reload();
	});
	stream.addEventListener("error", () => {
		say(stream.readyState === EventSource.CLOSED ? "Not live: load the page again" : "Not live: connecting again …");
	});
}
