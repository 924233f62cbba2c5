(() => {
  const section = document.currentScript.closest(".mlpnb-frames");
  const find = what => section.querySelector(what);
  const all = JSON.parse(find("script[type='application/json']").textContent);
  const form = find("form"), slider = find("input[type='range']");
  const figures = [...section.querySelectorAll("figure")];
  const x = place => 30 + place / 5, y = place => 205 - place / 5;
  const shapes = {
    "scikit-learn": (a, b) => `M${a - 2.2} ${b}a2.2 2.2 0 1 0 4.4 0a2.2 2.2 0 1 0 -4.4 0`,
    keras: (a, b) => `M${a} ${b - 2.8}l2.6 4.6h-5.2z`,
  };
  const cross = (a, b) => `M${a - 3} ${b - 3}l6 6m-6 0l6 -6`;
  const inside = place => place >= 0 && place <= 1000;
  const show = () => {
    const alpha = all.alphas[slider.value], n = all.names.length, chosen = new FormData(form);
    const frame = all.frames[`${chosen.get("activation")} ${chosen.get("dtype")} ${slider.value}`];
    figures.forEach((figure, i) => {
      const panel = all.panels[frame.panels[i]], library = all.libraries[i % n];
      const name = `${all.names[i % n]}, alpha ${i < n ? 0 : alpha}`;
      const [title, words] = figure.firstChild.children, svg = figure.lastChild;
      title.textContent = name;
      words.textContent = panel.words;
      figure.classList.toggle("diverged", !!panel.diverged);
      figure.classList.toggle("keras", library === "keras");
      svg.setAttribute("aria-label", `Prediction against truth. ${name}: ${panel.words}.`);
      let points = "", beyond = "";
      panel.points.forEach((place, row) => {
        const a = x(all.truth[row]);
        if (inside(place)) points += shapes[library](a, y(place));
        else beyond += cross(a, y(Math.max(0, Math.min(1000, place))));
      });
      svg.querySelector(".points").setAttribute("d", points);
      svg.querySelector(".beyond").setAttribute("d", beyond);
    });
    find("output").textContent = alpha;
    slider.setAttribute("aria-valuetext", alpha);
    find(".words").textContent = frame.words;
    find(".legend").textContent = frame.legend;
  };
  const save = () => {  // the panels side by side in one file, each as it stands, its style beside it
    const text = words => words.replace(/&/g, "&amp;").replace(/</g, "&lt;");
    const panels = figures.map((figure, i) => {
      const at = `translate(${240 * (i % 3)} ${260 * Math.floor(i / 3)})`;
      const [title, words] = [...figure.firstChild.children].map(e => text(e.textContent));
      const kind = [...figure.classList].join(" ");
      return `<g transform="${at}" class="${kind}"><text x="30" y="14" font-weight="bold" font-size="11">${title}</text>` +
        `<text x="30" y="28" font-size="10">${words}</text><g transform="translate(0 32)">${figure.lastChild.innerHTML}</g></g>`;
    });
    const style = find("style").textContent.split("@media")[0].replaceAll(".mlpnb-frames ", "");
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 520" font-family="sans-serif" font-size="9">` +
      `<title>${text(find(".words").textContent)}</title><style>${style}</style>` +
      `<rect width="720" height="520" fill="#fff"/>${panels.join("")}</svg>`;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([svg], {type: "image/svg+xml"}));
    link.download = "grid.svg";
    link.click();
    URL.revokeObjectURL(link.href);
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", event => event.preventDefault());
  find("button").addEventListener("click", save);
  show();
})();
