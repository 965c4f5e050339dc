import { BarChart, CustomChart, ScatterChart } from 'echarts/charts';
import { GridComponent, MarkLineComponent, TitleComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { formatFigure, type MicroDocument, type MicroResult } from './micro-document.ts';
import { describe, verdict } from './micro-table.ts';

use([BarChart, CustomChart, ScatterChart, GridComponent, MarkLineComponent, TitleComponent, SVGRenderer]);

const WIDTH = 1280;
const BAR_HEIGHT = 19;
const HEAD_HEIGHT = 110;
const GRID_HEAD_HEIGHT = 34;
const FOOT_HEIGHT = 30;
const LABEL_WIDTH = 560;
const VALUE_WIDTH = 230;
const COLOURS = { aim: '#1a7f5a', met: '#3b82c4', missed: '#c2410c', limit: '#6b7280' } as const;

/** A part of what the chart library is asked for. */
type Part = Readonly<Record<string, unknown>>;

/** A bar of the figure. */
interface Bar {
  readonly label: string;
  /** Its length. */
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly text: string;
  readonly colour: string;
  /** Where the aim lies. */
  readonly aim?: number;
}

/** Bars with an axis of their own. */
interface Panel {
  readonly title: string;
  readonly bars: readonly Bar[];
  /** On a logarithmic axis with a line at 1, the must; else from zero on. */
  readonly relative: boolean;
}

/**
 * The document as an SVG image: the machine's limits, and for each benchmark how far every figure with a target lies beyond
 * its must (1; to the right is better), with the aim as a mark and a line from p5 to p95.
 */
export function microFigure(document: MicroDocument): string {
  const panels = [limitPanel(document), ...resultPanels(document)];
  const bars = panels.reduce((sum, panel) => sum + panel.bars.length, 0);
  const height = HEAD_HEIGHT + panels.length * (GRID_HEAD_HEIGHT + FOOT_HEIGHT) + bars * BAR_HEIGHT;
  const chart = init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height });
  try {
    chart.setOption(optionOf(document, panels));
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

function limitPanel({ limits }: MicroDocument): Panel {
  const bars = limits
    .filter(({ fastest }) => fastest)
    .map(({ name, variant, value, p5, p95, unit }): Bar => {
      const text = `${formatFigure(value)} ${unit}`;
      return { label: `${name} (${variant})`, value, low: p5, high: p95, text, colour: COLOURS.limit };
    });
  return { title: "the machine's limits, GB/s", bars, relative: false };
}

function resultPanels({ results }: MicroDocument): readonly Panel[] {
  const judged = results.filter(({ must }) => must !== undefined);
  return [...new Set(judged.map(({ benchmark }) => benchmark))].map((benchmark) => ({
    title: `${benchmark}: times what it must be (mark: the aim)`,
    bars: judged.filter((result) => result.benchmark === benchmark).map(barOf),
    relative: true,
  }));
}

function barOf({
  name,
  variant,
  value,
  p5,
  p95,
  unit,
  must = 1,
  aim,
  better,
  met,
  aimMet,
  shareOfLimit,
}: MicroResult): Bar {
  const beyond = (figure: number): number => (better === 'lower' ? must / figure : figure / must);
  const relation = better === 'lower' ? '≤' : '≥';
  const share = shareOfLimit === null || unit === '%' ? '' : `, ${formatFigure(100 * shareOfLimit)} % of the limit`;
  return {
    label: `${name} (${variant})`,
    value: beyond(value),
    low: beyond(better === 'lower' ? p95 : p5),
    high: beyond(better === 'lower' ? p5 : p95),
    text: `${formatFigure(value)} ${unit} (${relation} ${Number(must.toPrecision(3))})${share}`,
    colour: met ? (aimMet ? COLOURS.aim : COLOURS.met) : COLOURS.missed,
    ...(aim !== undefined && { aim: beyond(aim) }),
  };
}

function optionOf(document: MicroDocument, panels: readonly Panel[]): EChartsCoreOption {
  const title: Part[] = [
    { text: 'godwit-bench micro', left: 16, top: 10, textStyle: { fontSize: 18, color: '#111827' } },
    {
      text: `${describe(document)}\n${verdict(document, false)}`,
      left: 16,
      top: 40,
      textStyle: { fontSize: 11, fontWeight: 'normal', color: '#4b5563', lineHeight: 16 },
    },
  ];
  const grid: Part[] = [];
  const xAxis: Part[] = [];
  const yAxis: Part[] = [];
  const series: Part[] = [];
  let top = HEAD_HEIGHT;
  for (const [index, panel] of panels.entries()) {
    const height = panel.bars.length * BAR_HEIGHT;
    title.push({ text: panel.title, left: 16, top, textStyle: { fontSize: 13, color: '#111827' } });
    top += GRID_HEAD_HEIGHT;
    grid.push({ left: LABEL_WIDTH, right: VALUE_WIDTH, top, height });
    xAxis.push({ gridIndex: index, ...axisOf(panel), axisLabel: { fontSize: 10 }, splitLine: { show: false } });
    yAxis.push({
      gridIndex: index,
      type: 'category',
      inverse: true,
      data: panel.bars.map(({ label }) => label),
      axisTick: { show: false },
      axisLabel: { fontSize: 10, width: LABEL_WIDTH - 24, overflow: 'truncate', interval: 0, color: '#111827' },
    });
    series.push(...seriesOf(panel, index));
    top += height + FOOT_HEIGHT;
  }
  return { animation: false, backgroundColor: '#ffffff', title, grid, xAxis, yAxis, series };
}

function axisOf({ bars, relative }: Panel): Part {
  if (!relative) return { type: 'value', min: 0 };
  const values = bars.flatMap(({ low, high, aim }) => [low, high, aim ?? 1]).filter((value) => value > 0);
  const min = 2 ** Math.floor(Math.log2(Math.min(0.5, ...values)));
  const max = 2 ** Math.ceil(Math.log2(Math.max(2, ...values)));
  return { type: 'log', logBase: 2, min, max };
}

function seriesOf({ bars, relative }: Panel, index: number): Part[] {
  const axes = { xAxisIndex: index, yAxisIndex: index };
  const must = { symbol: 'none', label: { show: false }, lineStyle: { color: '#111827', type: 'solid' } };
  return [
    {
      ...axes,
      type: 'bar',
      barWidth: '62%',
      data: bars.map(({ value, colour }) => ({ value, itemStyle: { color: colour } })),
      ...(relative && { markLine: { ...must, silent: true, data: [{ xAxis: 1 }] } }),
    },
    {
      ...axes,
      type: 'scatter',
      symbol: 'rect',
      symbolSize: [3, 14],
      itemStyle: { color: '#111827' },
      data: bars.flatMap(({ aim }, row) => (aim === undefined ? [] : [[aim, row]])),
    },
    {
      ...axes,
      type: 'custom',
      renderItem: drawSpread,
      data: bars.map(({ low, high }, row) => [low, high, row]),
      silent: true,
    },
    { ...axes, type: 'custom', renderItem: drawText(bars), data: bars.map((_, row) => [row]), silent: true },
  ];
}

/** What the chart library offers those who draw themselves. */
interface DrawingSurface {
  value(dimension: number): number;
  coord(point: readonly [number, number]): [number, number];
}

interface DrawingPlace {
  readonly coordSys: { readonly x: number; readonly width: number };
}

/** A line from p5 to p95. */
function drawSpread(_place: DrawingPlace, surface: DrawingSurface): object {
  const row = surface.value(2);
  const [from, y] = surface.coord([surface.value(0), row]);
  const [to] = surface.coord([surface.value(1), row]);
  return { type: 'line', shape: { x1: from, y1: y, x2: to, y2: y }, style: { stroke: '#111827', lineWidth: 1 } };
}

/** The figure in words, right of the bars. */
function drawText(bars: readonly Bar[]): (place: DrawingPlace, surface: DrawingSurface) => object {
  return ({ coordSys }, surface) => {
    const row = surface.value(0);
    const [, y] = surface.coord([1, row]);
    const style = { x: coordSys.x + coordSys.width + 8, y, text: bars[row]?.text ?? '', fontSize: 10, fill: '#374151' };
    return { type: 'text', style: { ...style, verticalAlign: 'middle' } };
  };
}
