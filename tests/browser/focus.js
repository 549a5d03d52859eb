// What of the focus can be seen: that it is in sight, uncovered, and that its ring is whole and stands out.
() => {
    const CONTRAST_MIN = 3; // WCAG 2.2, 1.4.11
    const SLACK = 1; // pixels, for what is laid out between them
    const STOPS = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]:not([tabindex='-1'])";

    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

    // How people would call it.
    function named(element) {
        const words = element.getAttribute("aria-label") || element.innerText || element.name || element.id || "";
        return `<${element.localName}> ${words.trim().replaceAll(/\s+/g, " ").slice(0, 50)}`;
    }

    function colour(said) {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = said;
        canvas.fillRect(0, 0, 1, 1);
        return canvas.getImageData(0, 0, 1, 1).data;
    }

    function luminance([red, green, blue]) {
        const linear = (part) => ((part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
    }

    function contrast(one, other) {
        const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    }

    // The colour on which an element stands.
    function ground(element) {
        for (let at = element; at; at = at.parentElement) {
            const said = colour(getComputedStyle(at).backgroundColor);
            if (said[3] > 127) return said;
        }
        return colour("white");
    }

    function isOutlined(element) {
        const style = getComputedStyle(element);
        return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    }

    // What shows the ring: a radio button or a tick may leave it to the frame around it.
    function framed(element) {
        return [element, element.parentElement, element.closest("label")].find((each) => each && isOutlined(each));
    }

    function isSeen(element) {
        const box = element.getClientRects()[0];
        return box && box.width > 0 && box.height > 0
            && element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    }

    const viewport = () => ({ left: 0, top: 0, right: document.documentElement.clientWidth, bottom: innerHeight });

    // What of an element's content is painted: within its border, or so much beyond that as it says.
    function inside(element, style) {
        const box = element.getBoundingClientRect();
        const more = style.overflowX === "clip" ? parseFloat(style.overflowClipMargin) || 0 : 0;
        const [left, top] = [box.left + element.clientLeft, box.top + element.clientTop];
        const [width, height] = [element.clientWidth || box.width, element.clientHeight || box.height]; // none if inline
        return { left: left - more, top: top - more, right: left + width + more, bottom: top + height + more };
    }

    // What an element's edges may be cut off by, from the inside out.
    function* cutters(element) {
        for (let at = element; at.parentElement && at.parentElement !== document.body; at = at.parentElement) {
            if (at.matches(":popover-open") || getComputedStyle(at).position === "fixed") break;
            const style = getComputedStyle(at.parentElement);
            if (style.overflowX === "visible" && style.overflowY === "visible") continue;
            yield [named(at.parentElement), inside(at.parentElement, style)];
        }
        yield ["the window", viewport()];
    }

    function coveredBy(element, frame, seen) {
        for (const [across, down] of [[0.5, 0.5], [0.1, 0.2], [0.9, 0.2], [0.1, 0.8], [0.9, 0.8]]) {
            const x = seen.left + (seen.right - seen.left) * across;
            const y = seen.top + (seen.bottom - seen.top) * down;
            const hit = document.elementFromPoint(x, y);
            const isOurs = hit && (element.contains(hit) || hit.contains(element) || frame.contains(hit));
            if (!isOurs) return [`is covered by ${hit ? named(hit) : "nothing"}`];
        }
        return [];
    }

    function wrongWithRing(frame) {
        const found = [];
        const style = getComputedStyle(frame);
        const [width, offset] = [parseFloat(style.outlineWidth), parseFloat(style.outlineOffset)];
        if (width < 2) found.push(`has a ring of ${width} px`);
        const stands = contrast(colour(style.outlineColor), ground(offset < 0 ? frame : frame.parentElement));
        if (stands < CONTRAST_MIN) found.push(`has a ring of contrast ${stands.toFixed(2)}`);
        const box = frame.getBoundingClientRect();
        const view = viewport();
        if (box.height > view.bottom || box.width > view.right) return found; // it cannot be in sight as a whole
        const more = Math.max(0, width + offset) - SLACK;
        for (const [name, by] of cutters(frame)) {
            const isCut = box.left - more < by.left || box.top - more < by.top
                || box.right + more > by.right || box.bottom + more > by.bottom;
            if (isCut) found.push(`has a ring that is cut off by ${name}`);
        }
        return found;
    }

    function wrongWith(element) {
        if (!isSeen(element)) return ["cannot be seen"];
        const [box, view] = [element.getClientRects()[0], viewport()];
        const seen = {
            left: Math.max(box.left, view.left), right: Math.min(box.right, view.right),
            top: Math.max(box.top, view.top), bottom: Math.min(box.bottom, view.bottom),
        };
        if (seen.right - seen.left < 1 || seen.bottom - seen.top < 1) return ["is out of sight"];
        const frame = framed(element);
        const found = coveredBy(element, frame || element, seen);
        // What opens the calendar of a date field is the browser's own, and has the browser's own ring.
        if (element.type === "date" && !element.matches(":focus")) return found;
        return [...found, ...(frame ? wrongWithRing(frame) : ["shows no ring"])];
    }

    // What has the focus, or null when that is somewhere in the browser itself.
    function stop() {
        const element = document.activeElement;
        if (!element || element === document.body || element === document.documentElement) return null;
        return { name: named(element), wrong: wrongWith(element) };
    }

    // What is wrong where the Tab key would stop, to the end and back again; each place gets the focus as by that key.
    function everyStop() {
        const found = new Set();
        const stops = [...document.querySelectorAll(STOPS)].filter(
            (each) => !each.disabled && each.checkVisibility({ visibilityProperty: true }),
        );
        for (const element of [...stops, ...stops.reverse()]) {
            element.focus({ focusVisible: true });
            element.dispatchEvent(new KeyboardEvent("keyup", { key: "Tab", bubbles: true }));
            const wrong = document.activeElement === element ? wrongWith(element) : ["takes no focus"];
            for (const each of wrong) found.add(`${named(element)} ${each}`);
        }
        document.activeElement.blur();
        scrollTo(0, 0);
        return [...found];
    }

    return { stop, everyStop };
}
