#if Serve
import NIOCore
import Synchronization

/// Watches a connection: says when the client has gone, and gives up on one that does not read.
///
/// A client that closes its sending side has gone too: HTTP clients keep both sides open while they wait.
final class ConnectionGuard: ChannelInboundHandler, RemovableChannelHandler, Sendable {
    typealias InboundIn = NIOAny

    private struct State {
        var isClosed = false
        var whenClosed: (@Sendable () -> Void)?
        var stall: Scheduled<Void>?
    }

    private let state = Mutex(State())

    /// What to do once when the client goes, now if it has gone; nil for nothing any more.
    func whenClosed(_ action: (@Sendable () -> Void)?) {
        let isClosed = state.withLock { state in
            state.whenClosed = action
            return state.isClosed
        }
        if isClosed { action?() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { close() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        close()
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let channel = context.channel
        let stall =
            channel.isWritable
            ? nil
            : context.eventLoop.scheduleTask(in: TimeAmount(RequestLimits.stallDuration)) {
                channel.close(promise: nil)
            }
        let last = state.withLock { state in
            defer { state.stall = stall }
            return state.stall
        }
        last?.cancel()
        context.fireChannelWritabilityChanged()
    }

    private func close() {
        let (action, stall) = state.withLock { state in
            state.isClosed = true
            defer { (state.whenClosed, state.stall) = (nil, nil) }
            return (state.whenClosed, state.stall)
        }
        stall?.cancel()
        action?()
    }
}
#endif
