/// Case, whitespace and classes as Python's `str` defines them over Unicode.
extension Unicode.Scalar {
    /// Python's `str.isspace` for one character: Unicode whitespace and the four ASCII separators.
    var isPythonSpace: Bool { properties.isWhitespace || (0x1C...0x1F).contains(value) }

    /// Whether the character belongs to a word (`\w`).
    var isWord: Bool { value == 0x5F || isAlphanumeric }

    var isAlphanumeric: Bool { isLetter || properties.numericType != nil }

    var isLetter: Bool {
        switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }

    /// Python's `str.isprintable` for one character, which decides what `repr` escapes.
    var isPrintable: Bool {
        if value == 0x20 { return true }
        switch properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }

    var isUpper: Bool { properties.isUppercase }
    var isLower: Bool { properties.isLowercase }
    var isTitle: Bool { properties.generalCategory == .titlecaseLetter }
}

extension Text {
    func lowercased() -> Text {
        let all = Array(scalars)
        var result: [UInt8] = []
        result.reserveCapacity(utf8.count)
        for index in all.indices { result += Text.lowercase(all, index).utf8 }
        return Text(utf8: result, isMarkup: isMarkup)
    }

    func uppercased() -> Text {
        var result: [UInt8] = []
        result.reserveCapacity(utf8.count)
        for scalar in scalars { result += scalar.properties.uppercaseMapping.utf8 }
        return Text(utf8: result, isMarkup: isMarkup)
    }

    /// The first character in title case, the others in lower case.
    func capitalized() -> Text {
        let all = Array(scalars)
        var result: [UInt8] = []
        for index in all.indices {
            result += (index == 0 ? all[0].properties.titlecaseMapping : Text.lowercase(all, index)).utf8
        }
        return Text(utf8: result, isMarkup: isMarkup)
    }

    /// `str.title`: characters after an uncased one in title case, the others in lower case.
    func titlecased() -> Text {
        let all = Array(scalars)
        var result: [UInt8] = []
        var previousIsCased = false
        for index in all.indices {
            result += (previousIsCased ? Text.lowercase(all, index) : all[index].properties.titlecaseMapping).utf8
            previousIsCased = all[index].properties.isCased
        }
        return Text(utf8: result, isMarkup: isMarkup)
    }

    func caseSwapped() -> Text {
        let all = Array(scalars)
        var result: [UInt8] = []
        for index in all.indices {
            let scalar = all[index]
            if scalar.isUpper {
                result += Text.lowercase(all, index).utf8
            } else if scalar.isLower {
                result += scalar.properties.uppercaseMapping.utf8
            } else {
                result.append(scalar)
            }
        }
        return Text(utf8: result, isMarkup: isMarkup)
    }

    /// The lower case of one character: a sigma that ends a word has its own form (Unicode 3.13, Final_Sigma).
    private static func lowercase(_ all: [Unicode.Scalar], _ index: Int) -> String {
        guard all[index].value == 0x3A3 else { return all[index].properties.lowercaseMapping }
        let before = all[..<index].last { !$0.properties.isCaseIgnorable }
        let after = all[(index + 1)...].first { !$0.properties.isCaseIgnorable }
        let endsWord = before?.properties.isCased == true && after?.properties.isCased != true
        return endsWord ? "\u{3C2}" : "\u{3C3}"
    }

    enum Side { case left, right, both }

    /// Without the characters of `characters` (nil: whitespace) at the given sides.
    func stripped(_ side: Side, of characters: Text? = nil) -> Text {
        let set = characters.map { Set($0.scalars) }
        func isStripped(_ scalar: Unicode.Scalar) -> Bool { set?.contains(scalar) ?? scalar.isPythonSpace }
        var view = scalars[...]
        if side != .right { view = view.drop(while: isStripped) }
        if side != .left {
            while let last = view.last, isStripped(last) { view.removeLast() }
        }
        return Text(utf8: Array(String(view).utf8), isMarkup: isMarkup)
    }

    /// Splits at runs of whitespace, at most `limit` times from the left.
    func splitAtWhitespace(limit: Int, meter: Meter) throws -> [Text] {
        var parts: [Text] = []
        var rest = scalars[...].drop(while: \.isPythonSpace)
        while !rest.isEmpty {
            try meter.check(bytes: (parts.count + 1) * MemoryCharge.perElement)
            if limit >= 0, parts.count == limit {
                parts.append(Text(String(rest)))
                break
            }
            let end = rest.firstIndex(where: \.isPythonSpace) ?? rest.endIndex
            parts.append(Text(String(rest[..<end])))
            rest = rest[end...].drop(while: \.isPythonSpace)
        }
        return parts
    }

    /// Splits at runs of whitespace, at most `limit` times from the right.
    func splitAtWhitespaceFromEnd(limit: Int, meter: Meter) throws -> [Text] {
        let reversed = Text(scalars.reversed())
        return try reversed.splitAtWhitespace(limit: limit, meter: meter).reversed().map { Text($0.scalars.reversed()) }
    }

    /// The lines, split at every line boundary that Python knows.
    func lines(keepingEnds: Bool, meter: Meter) throws -> [Text] {
        var lines: [Text] = []
        var line: [UInt8] = []
        var isAfterReturn = false
        for scalar in scalars {
            if isAfterReturn {
                isAfterReturn = false
                if scalar == "\n" {
                    if keepingEnds, let last = lines.popLast() { lines.append(Text(utf8: last.utf8 + [0x0A])) }
                    continue
                }
            }
            guard Text.isLineBoundary(scalar) else {
                line.append(scalar)
                continue
            }
            isAfterReturn = scalar == "\r"
            if keepingEnds { line.append(scalar) }
            try meter.check(bytes: (lines.count + 1) * MemoryCharge.perElement)
            lines.append(Text(utf8: line))
            line = []
        }
        if !line.isEmpty { lines.append(Text(utf8: line)) }
        return lines
    }

    private static func isLineBoundary(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }
}
