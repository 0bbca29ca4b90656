"""What tests of pages in a browser share: its sizes, and what they ask a page."""

from __future__ import annotations

from pathlib import Path

CHROMIUM = Path("/usr/bin/chromium")
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 375, "height": 812}
# The lowest contrast of any text with what lies behind it (WCAG 2.2, 1.4.3), with the text it was found at.
CONTRAST = """() => {
  const parts = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).slice(0, 3).map((value) => value / 255)
      .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      const found = parts(colour);
      if (found.length === 3 || found[3] === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  let worst = [99, "", 0];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    const own = light(node.closest("svg") ? style.fill : style.color), other = light(behind(node));
    const ratio = (Math.max(own, other) + 0.05) / (Math.min(own, other) + 0.05);
    worst[2] += 1;
    if (ratio < worst[0]) worst = [ratio, walk.currentNode.textContent.trim(), worst[2]];
  }
  return worst;
}"""
# Pairs of labels of one figure that lie on each other, and labels that leave their figure.
CLASHES = """() => {
  const found = [];
  for (const svg of document.querySelectorAll(".plot svg")) {
    const frame = svg.getBoundingClientRect();
    if (!frame.width) continue;
    const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
    texts.forEach(([name, box], row) => {
      if (box.left < frame.left - 3 || box.right > frame.right + 3) found.push([name, "leaves"]);
      for (const [other, next] of texts.slice(row + 1)) {
        const wide = Math.min(box.right, next.right) - Math.max(box.left, next.left);
        const high = Math.min(box.bottom, next.bottom) - Math.max(box.top, next.top);
        if (wide > 1 && high > 3) found.push([name, other]);
      }
    });
  }
  return found;
}"""


def foreign(url: str, address: str) -> bool:
    """Say whether an address is neither the page nor inside it."""
    return not url.startswith(("data:", address))
