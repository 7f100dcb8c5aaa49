/// A page of measurements: it holds no script and asks no network for anything.
struct HTMLPage {
    let title: String
    /// What was measured, and how, as plain text.
    let introduction: String
    /// Tables and plots, as HTML.
    let content: String
    /// The command that the page comes from.
    let command: String
    /// What else identifies the measurement, as HTML; empty if nothing does.
    var note = ""

    /// The page.
    var html: String {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>\(title.escapedForHTML)</title>
        <style>\(Self.style)</style>
        </head>
        <body>
        <h1>\(title.escapedForHTML)</h1>
        <p>\(introduction.escapedForHTML)</p>
        \(content)
        <h2>Measured with</h2>
        <pre>\(command.escapedForHTML)</pre>
        <p>\((["apus \(Program.version)", note].filter { !$0.isEmpty }).joined(separator: "; "))</p>
        </body>
        </html>

        """
    }

    /// A table of plain text: the head first, the first cell of each row its name.
    static func table(_ rows: [[String]]) -> String {
        let head = rows.prefix(1).joined().map { "<th scope=\"col\">\($0.escapedForHTML)</th>" }.joined()
        let body = rows.dropFirst().map { row in
            row.prefix(1).map { "<tr><th scope=\"row\">\($0.escapedForHTML)</th>" }.joined()
                + row.dropFirst().map { "<td>\($0.escapedForHTML)</td>" }.joined() + "</tr>"
        }
        return "<div class=\"wide\"><table>\n<thead><tr>\(head)</tr></thead>\n<tbody>\n"
            + body.joined(separator: "\n") + "\n</tbody></table></div>"
    }

    private static let style = """

        :root { color-scheme: light dark; --text: #1d2330; --quiet: #5a6274; --line: #d9dde5; --back: #ffffff;
          --bar: #2f6fde; --reference: #8a93a6; }
        @media (prefers-color-scheme: dark) { :root { --text: #e6e9f0; --quiet: #9aa3b5; --line: #343b4a;
          --back: #14171e; --bar: #6ea0ff; --reference: #7c869a; } }
        body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); margin: 0 auto;
          max-width: 72rem; padding: 1.5rem; }
        h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
        p { color: var(--quiet); } pre, .wide { overflow-x: auto; }
        pre { border: 1px solid var(--line); border-radius: 6px; padding: .8rem; white-space: pre-wrap;
          overflow-wrap: anywhere; }
        code { overflow-wrap: anywhere; }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .85rem; }
        th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--line); text-align: right; }
        thead th { white-space: normal; vertical-align: bottom; color: var(--quiet); font-weight: 500; }
        tr > :first-child { text-align: left; }
        figure { margin: 2rem 0 0; } figcaption { font-weight: 600; margin-bottom: .5rem; }
        svg { display: block; width: 100%; height: auto; max-width: 46rem; }
        svg text { fill: var(--text); font: 12px system-ui, sans-serif; dominant-baseline: middle; }
        svg .tick, svg .axis { fill: var(--quiet); } svg .value { font-variant-numeric: tabular-nums; }
        .bar { fill: var(--bar); } .reference { fill: var(--reference); }
        .grid { stroke: var(--line); } .extremes { stroke: var(--text); stroke-width: 2; opacity: .6; }

        """
}
