"""The kinds of chart that Superset 6.1 draws: what its own pages register. It takes any other without a word."""

from __future__ import annotations

__all__ = ["CHART_KINDS"]

CHART_KINDS = frozenset((
    "ag-grid-table", "big_number", "big_number_total", "box_plot", "bubble", "bubble_v2", "bullet", "cal_heatmap",
    "cartodiagram", "chord", "compare", "country_map", "echarts_area", "echarts_timeseries",
    "echarts_timeseries_bar", "echarts_timeseries_line", "echarts_timeseries_scatter",
    "echarts_timeseries_smooth", "echarts_timeseries_step", "funnel", "gantt_chart", "gauge_chart", "graph_chart",
    "handlebars", "heatmap_v2", "histogram_v2", "horizon", "mapbox", "mixed_timeseries", "paired_ttest", "para",
    "partition", "pie", "pivot_table_v2", "pop_kpi", "radar", "rose", "sankey_v2", "sunburst_v2", "table",
    "time_pivot", "time_table", "tree_chart", "treemap_v2", "waterfall", "word_cloud", "world_map", "deck_arc",
    "deck_contour", "deck_geojson", "deck_grid", "deck_heatmap", "deck_hex", "deck_multi", "deck_path",
    "deck_polygon", "deck_scatter", "deck_screengrid",
))  # fmt: skip
