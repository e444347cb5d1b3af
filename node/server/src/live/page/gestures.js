// Moving and zooming the map by pointer, wheel and keyboard.

const TAP_PIXELS = 5;
const KEY_STEP_PIXELS = 80;
const KEY_ZOOM = 1.5;

export function attachGestures(canvas, map, { onTap, onEscape, onFit, onUserMoved }) {
  const pointers = new Map();
  let travelled = 0;

  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const middleAndSpread = () => {
    const points = [...pointers.values()];
    const middle = {
      x: points.reduce((sum, point) => sum + point.x, 0) / points.length,
      y: points.reduce((sum, point) => sum + point.y, 0) / points.length,
    };
    const spread = points.length < 2 ? 0 : Math.hypot(points[0].x - points[1].x, points[0].y - points[1].y);
    return { middle, spread };
  };
  const moved = () => {
    onUserMoved();
    map.viewChanged();
  };

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    if (pointers.size === 0) travelled = 0;
    pointers.set(event.pointerId, at(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) {
      const { x, y } = at(event);
      canvas.style.cursor = map.dotAt(x, y) ? "pointer" : "";
      return;
    }
    const before = middleAndSpread();
    pointers.set(event.pointerId, at(event));
    const after = middleAndSpread();
    const [dx, dy] = [after.middle.x - before.middle.x, after.middle.y - before.middle.y];
    travelled += Math.hypot(dx, dy);
    if (travelled < TAP_PIXELS && pointers.size === 1) return;
    map.view.moveBy(dx, dy);
    if (before.spread > 0 && after.spread > 0) {
      travelled += TAP_PIXELS;
      map.view.zoomAt(after.spread / before.spread, after.middle.x, after.middle.y);
    }
    moved();
  });
  const lift = (event) => {
    const wasTap = pointers.size === 1 && travelled < TAP_PIXELS && event.type === "pointerup";
    if (pointers.delete(event.pointerId) && wasTap) onTap(at(event));
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x, y } = at(event);
    const pixels = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    map.view.zoomAt(Math.exp(-Math.max(-240, Math.min(240, pixels)) / 300), x, y);
    moved();
  }, { passive: false });
  canvas.addEventListener("dblclick", (event) => {
    const { x, y } = at(event);
    map.view.zoomAt(2, x, y);
    moved();
  });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { view } = map;
    const zoom = (factor) => view.zoomAt(factor, view.width / 2, view.height / 2);
    const actions = {
      ArrowLeft: () => view.moveBy(KEY_STEP_PIXELS, 0),
      ArrowRight: () => view.moveBy(-KEY_STEP_PIXELS, 0),
      ArrowUp: () => view.moveBy(0, KEY_STEP_PIXELS),
      ArrowDown: () => view.moveBy(0, -KEY_STEP_PIXELS),
      "+": () => zoom(KEY_ZOOM),
      "=": () => zoom(KEY_ZOOM),
      "-": () => zoom(1 / KEY_ZOOM),
      0: () => view.showWorld(),
      f: onFit,
      Enter: () => onTap({ x: view.width / 2, y: view.height / 2 }),
      Escape: onEscape,
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
    moved();
  });
}
