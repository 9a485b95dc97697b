package headwater;

import java.net.InetSocketAddress;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hive.metastore.HiveMetaStore.HMSHandler;
import org.apache.hadoop.hive.metastore.MetastoreTaskThread;
import org.apache.hadoop.hive.metastore.RetryingHMSHandler;
import org.apache.hadoop.hive.metastore.TServerSocketKeepAlive;
import org.apache.hadoop.hive.metastore.TSetIpAddressProcessor;
import org.apache.hadoop.hive.metastore.ThreadPool;
import org.apache.hadoop.hive.metastore.api.ThriftHiveMetastore;
import org.apache.hadoop.hive.metastore.conf.MetastoreConf;
import org.apache.hadoop.hive.metastore.conf.MetastoreConf.ConfVars;
import org.apache.hadoop.hive.metastore.utils.JavaUtils;
import org.apache.thrift.protocol.TBinaryProtocol;
import org.apache.thrift.protocol.TProtocol;
import org.apache.thrift.server.ServerContext;
import org.apache.thrift.server.TServer;
import org.apache.thrift.server.TServerEventHandler;
import org.apache.thrift.server.TThreadPoolServer;
import org.apache.thrift.transport.TServerSocket;
import org.apache.thrift.transport.TTransport;
import org.apache.thrift.transport.TTransportFactory;

/**
 * The Hive Metastore on one address: {@code LoopbackMetastore HOST PORT}.
 *
 * <p>The stock main listens on every address of the machine, without a login, and has no setting for it. It also runs its
 * housekeeping, which frees the locks of dead writers, only together with Hive's compactor, which needs Hive itself.
 */
public final class LoopbackMetastore {
    private static final int SECONDS_TO_FINISH = 1;

    public static void main(String[] args) throws Exception {
        String host = args[0];
        int port = Integer.parseInt(args[1]);
        Configuration conf = MetastoreConf.newMetastoreConf();

        HMSHandler base = new HMSHandler("headwater", conf, false);
        // The proxy initialises the handler, which starts the tasks of metastore.task.threads.always.
        ThriftHiveMetastore.Iface handler = RetryingHMSHandler.getProxy(conf, base, false);
        TServer server = serverOn(host, port, conf, base, handler);

        CountDownLatch served = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server, served), "stop"));
        startHousekeeping(conf);
        System.err.println("Metastore listens on " + host + ":" + port);
        server.serve();
        served.countDown();
        ThreadPool.shutdown();
    }

    private static TServer serverOn(
            String host, int port, Configuration conf, HMSHandler base, ThriftHiveMetastore.Iface handler)
            throws Exception {
        TServerSocket socket = new TServerSocketKeepAlive(new TServerSocket(new InetSocketAddress(host, port)));
        TThreadPoolServer.Args options = new TThreadPoolServer.Args(socket)
                .processor(new TSetIpAddressProcessor<>(handler))
                .transportFactory(new TTransportFactory())
                .protocolFactory(new TBinaryProtocol.Factory())
                .inputProtocolFactory(new TBinaryProtocol.Factory(
                        true, true, MetastoreConf.getLongVar(conf, ConfVars.SERVER_MAX_MESSAGE_SIZE), -1))
                .minWorkerThreads(MetastoreConf.getIntVar(conf, ConfVars.SERVER_MIN_THREADS))
                .maxWorkerThreads(MetastoreConf.getIntVar(conf, ConfVars.SERVER_MAX_THREADS));
        options.stopTimeoutVal = SECONDS_TO_FINISH;
        options.stopTimeoutUnit = TimeUnit.SECONDS;
        TServer server = new TThreadPoolServer(options);
        server.setServerEventHandler(new Cleanup(base));
        return server;
    }

    private static void startHousekeeping(Configuration conf) throws Exception {
        ThreadPool.initialize(conf);
        ScheduledExecutorService pool = ThreadPool.getPool();
        for (String name : MetastoreConf.getStringCollection(conf, ConfVars.TASK_THREADS_REMOTE_ONLY)) {
            MetastoreTaskThread task =
                    JavaUtils.newInstance(JavaUtils.getClass(name.trim(), MetastoreTaskThread.class));
            task.setConf(conf);
            long pause = task.runFrequency(TimeUnit.MILLISECONDS);
            pool.scheduleAtFixedRate(task, pause, pause, TimeUnit.MILLISECONDS);
        }
    }

    private static void stop(TServer server, CountDownLatch served) {
        server.stop();
        try {
            served.await(SECONDS_TO_FINISH + 1, TimeUnit.SECONDS);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Gives a connection's database session back when the client goes. */
    private static final class Cleanup implements TServerEventHandler {
        private final HMSHandler handler;

        Cleanup(HMSHandler handler) {
            this.handler = handler;
        }

        @Override
        public void preServe() {}

        @Override
        public ServerContext createContext(TProtocol input, TProtocol output) {
            return null;
        }

        @Override
        public void deleteContext(ServerContext context, TProtocol input, TProtocol output) {
            handler.shutdown();
        }

        @Override
        public void processContext(ServerContext context, TTransport input, TTransport output) {}
    }

    private LoopbackMetastore() {}
}
