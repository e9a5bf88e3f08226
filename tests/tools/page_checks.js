// SPDX-License-Identifier: Apache-2.0
// Measures a page as a browser laid it out, and sends what is wrong with it to the window around
// it, a line each. Only a copy of the page has this script: the report itself has none.
//
// A report is one file; a page of the site, which has `labSite` set before this script, also has what
// lies beside it.
'use strict';

function isAtHand(address) {
  const beside = window.labSite && address.startsWith(new URL('.', location.href).href);
  return beside || /^(data:|javascript:)/.test(address);
}

/** What people may read: elements whose own text is not blank. */
function elementsWithText() {
  return [...document.body.querySelectorAll('*')].filter(
      (e) => !e.closest('script, style, svg title, svg desc') &&
          [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim() !== ''));
}

/** Red, green and blue of 0 to 255, and how much of them covers what is below. */
function channels(color) {
  const [r, g, b, alpha = 1] = color.match(/[\d.]+/g).map(Number);
  return {rgb: [r, g, b], alpha};
}

function luminance(color) {
  const [r, g, b] = channels(color).rgb.map((value) => {
    const c = value / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** The ratio of WCAG 2, 1 to 21. */
function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

function groundOf(element) {
  const svg = element.closest('svg');
  if (svg) return getComputedStyle(svg.querySelector('.bg')).fill;
  // Grounds lie above each other, and some let the one below shine through.
  let seen = [0, 0, 0], left = 1;
  for (let e = element; e && left > 0; e = e.parentElement) {
    const {rgb, alpha} = channels(getComputedStyle(e).backgroundColor);
    seen = seen.map((c, i) => c + left * alpha * rgb[i]);
    left *= 1 - alpha;
  }
  return `rgb(${seen.map((c) => c + left * 255).join(', ')})`;
}

function checkPage() {
  const findings = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    findings.push(`the page scrolls: ${root.scrollWidth} wide in ${root.clientWidth}`);
  }
  for (const e of elementsWithText()) {
    const style = getComputedStyle(e);
    const ratio = contrast(e.closest('svg') ? style.fill : style.color, groundOf(e));
    if (!(ratio >= 4.5)) {
      findings.push(`contrast ${ratio.toFixed(2)} of '${e.textContent.trim().slice(0, 40)}'`);
    }
  }
  let level = 0;
  for (const heading of document.querySelectorAll('h1, h2, h3, h4, h5, h6')) {
    const here = Number(heading.tagName[1]);
    if (here > level + 1) findings.push(`a heading is left out before '${heading.textContent}'`);
    level = here;
  }
  for (const e of document.querySelectorAll('[src], [srcset], link[href], object[data]')) {
    const address = e.src || e.srcset || e.href || e.data;
    if (!isAtHand(address)) findings.push(`from elsewhere: ${address}`);
  }
  for (const entry of performance.getEntriesByType('resource')) {
    if (!isAtHand(entry.name)) findings.push(`a request: ${entry.name}`);
  }
  return findings;
}

/** Text that leaves its picture or covers other text; a picture without anything drawn. */
function checkPicture(svg) {
  const findings = [];
  const view = svg.getBoundingClientRect();
  const drawn = [...svg.querySelectorAll('path, circle, rect')].filter((e) => {
    if (e.matches('.bg, .ax, .gr, .e')) return false;
    const box = e.getBoundingClientRect();
    return box.width > 0 && box.height > 0;
  });
  if (drawn.length === 0) findings.push(`nothing is drawn in ${svg.getAttribute('aria-labelledby')}`);
  const texts = [...svg.querySelectorAll('text')].map(
      (e) => ({words: e.textContent, box: e.getBoundingClientRect()}));
  const slack = 0.5;  // pixels: boxes are rounded
  texts.forEach(({words, box}, i) => {
    if (box.left < view.left - slack || box.right > view.right + slack ||
        box.top < view.top - slack || box.bottom > view.bottom + slack) {
      findings.push(`'${words}' leaves its picture`);
    }
    for (const other of texts.slice(0, i)) {
      if (box.left + slack < other.box.right && other.box.left + slack < box.right &&
          box.top + slack < other.box.bottom && other.box.top + slack < box.bottom) {
        findings.push(`'${words}' covers '${other.words}'`);
      }
    }
  });
  return findings;
}

addEventListener('load', () => {
  const pictures = [...document.querySelectorAll('svg')];
  const findings = checkPage().concat(...pictures.map(checkPicture));
  const dark = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  findings.push(`measured ${pictures.length} pictures at ${innerWidth}, ${dark}`);
  parent.postMessage(findings.join('\n'), '*');
});
