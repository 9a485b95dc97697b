package headwater;

import io.openlineage.spark.agent.OpenLineageSparkListener;
import java.util.Map;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.api.plugin.SparkPlugin;
import org.apache.spark.scheduler.SparkListenerEvent;
import org.apache.spark.sql.execution.ui.SparkListenerSQLExecutionEnd;

/**
 * Gives OpenLineage's listener an event queue of its own: {@code spark.plugins=headwater.LineageQueue}.
 *
 * <p>A listener of {@code spark.extraListeners} shares its queue with those of Spark's sessions. OpenLineage's walks plans
 * and waits for the catalog's answers, and until it is done no session learns what its DataFrames observed.
 */
public final class LineageQueue implements SparkPlugin {
    @Override
    public DriverPlugin driverPlugin() {
        return new DriverPlugin() {
            @Override
            public Map<String, String> init(SparkContext context, PluginContext ignored) {
                context.listenerBus().addToQueue(new Listener(context.getConf()), "openlineage");
                return Map.of();
            }
        };
    }

    @Override
    public ExecutorPlugin executorPlugin() {
        return null;
    }

    /** Does not hear of the end of a statement that failed: OpenLineage would tell of it as of one that has written. */
    private static final class Listener extends OpenLineageSparkListener {
        Listener(SparkConf conf) {
            super(conf);
        }

        @Override
        public void onOtherEvent(SparkListenerEvent event) {
            if (!(event instanceof SparkListenerSQLExecutionEnd end) || end.errorMessage().getOrElse(() -> "").isEmpty()) {
                super.onOtherEvent(event);
            }
        }
    }
}
