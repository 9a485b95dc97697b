package headwater;

import io.openlineage.spark.agent.OpenLineageSparkListener;
import java.util.Map;
import org.apache.spark.SparkContext;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.api.plugin.SparkPlugin;

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
                context.listenerBus().addToQueue(new OpenLineageSparkListener(context.getConf()), "openlineage");
                return Map.of();
            }
        };
    }

    @Override
    public ExecutorPlugin executorPlugin() {
        return null;
    }
}
