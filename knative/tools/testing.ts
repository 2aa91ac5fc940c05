// A valid manifest in which the tests replace one piece at a time.

export const VALID = `apiVersion: serving.knative.dev/v1
kind: Service
metadata:
  name: sound
  labels:
    app.kubernetes.io/name: sound
    networking.knative.dev/visibility: cluster-local
  annotations:
    serving.knative.dev/rollout-duration: 60s
spec:
  template:
    metadata:
      annotations:
        autoscaling.knative.dev/class: kpa.autoscaling.knative.dev
        autoscaling.knative.dev/metric: concurrency
        autoscaling.knative.dev/min-scale: "1"
        autoscaling.knative.dev/max-scale: "4"
        autoscaling.knative.dev/activation-scale: "2"
        autoscaling.knative.dev/target: "40"
        autoscaling.knative.dev/target-burst-capacity: "-1"
        autoscaling.knative.dev/window: 1m30s
        example.com/note: not Knative's
    spec:
      containerConcurrency: 80
      timeoutSeconds: 600
      responseStartTimeoutSeconds: 600
      enableServiceLinks: false
      automountServiceAccountToken: false
      containers:
        - image: registry.example.com:5000/todo/todo-sound:0.1.0
          ports:
            - containerPort: 8000
          env:
            - name: DATABASE_POOL_SIZE
              value: "4"
            - name: NODE_OPTIONS
              value: --max-old-space-size=192
          envFrom:
            - secretRef:
                name: todo-database
          resources:
            requests:
              cpu: 100m
              memory: 128Mi
            limits:
              cpu: 1
              memory: 256Mi
          readinessProbe:
            httpGet:
              path: /health/ready
          livenessProbe:
            httpGet:
              path: /health/live
            initialDelaySeconds: 30
            periodSeconds: 10
          securityContext:
            readOnlyRootFilesystem: true
            runAsNonRoot: true
            runAsUser: 65532
            allowPrivilegeEscalation: false
            capabilities:
              drop: [ALL]
            seccompProfile:
              type: RuntimeDefault
          volumeMounts:
            - name: tmp
              mountPath: /tmp
      volumes:
        - name: tmp
          emptyDir:
            sizeLimit: 16Mi
`

/** The valid manifest with one piece of its text replaced. @throws Error unless the piece occurs exactly once */
export function broken(piece: string, replacement: string): string {
  if (VALID.split(piece).length !== 2) throw new Error(`does not occur exactly once in the manifest: ${piece}`)
  return VALID.replace(piece, () => replacement)
}
