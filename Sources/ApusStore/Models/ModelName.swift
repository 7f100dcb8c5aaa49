import ApusCore

/// The rules for names that become file names in the store.
enum ModelName {
    /// Checks that a name is 1 to 128 letters, digits, dots, dashes and underscores, with a letter or digit first.
    static func check(_ name: String) throws {
        guard isValid(name) else {
            throw ApusError(
                .invalidArgument,
                "model name '\(name)': expected 1 to 128 letters, digits, '.', '-', '_', starting with a letter "
                    + "or digit; choose one with --name"
            )
        }
    }

    /// Whether a text can name a model.
    static func isValid(_ name: String) -> Bool {
        let letters = Array(name.utf8)
        guard let first = letters.first, letters.count <= 128, isLetterOrDigit(first) else { return false }
        return letters.allSatisfy {
            isLetterOrDigit($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
        }
    }

    /// A valid name made from any text: other characters become dashes.
    static func derived(from text: String) -> String {
        let dash = UInt8(ascii: "-")
        let letters = text.lowercased().utf8.map { letter in
            isLetterOrDigit(letter) || letter == UInt8(ascii: ".") || letter == UInt8(ascii: "_") ? letter : dash
        }
        let name = String(decoding: letters.drop { !isLetterOrDigit($0) }.prefix(128), as: UTF8.self)
        return name.isEmpty ? "model" : name
    }

    /// Checks that a source's file name is a plain name that cannot lead out of its folder.
    static func checkFile(_ name: String, of source: String) throws {
        let isPlain = name != "." && name != ".." && !name.isEmpty && name.utf8.count <= 255
        guard isPlain, name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") }) else {
            throw ApusError(.malformedFile, "\(source): expected plain file names, found \(name.debugDescription)")
        }
    }

    private static func isLetterOrDigit(_ letter: UInt8) -> Bool {
        switch letter {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
