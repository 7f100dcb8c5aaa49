import ApusFormats
import ApusServe

/// Reads bodies as a server does.
enum Body {
    /// The checked fields of a body.
    static func fields(_ json: String, _ table: FieldTable) throws -> FieldValues {
        try table.read(API.json(Array(json.utf8)))
    }

    /// The error that a body is refused with; nil if it is not.
    static func refusal(_ json: String, _ table: FieldTable) -> ServiceError? {
        do {
            _ = try fields(json, table)
            return nil
        } catch {
            return error as? ServiceError
        }
    }
}
